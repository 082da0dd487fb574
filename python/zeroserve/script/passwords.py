"""Whether a password is the one that a hash was made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from zeroserve.script.limits import Stop

_is_answered: ContextVar[bool] = ContextVar("zeroserve.script.is_answered", default=False)


@contextmanager
def answered() -> Iterator[None]:
    """There is a response already, which does not wait."""
    token = _is_answered.set(True)
    try:
        yield
    finally:
        _is_answered.reset(token)


def verify_password(password: str, hash: str) -> bool:
    """Whether ``hash`` was made of that password.

    ``hash`` is one of argon2id or argon2i in the PHC format (``$argon2id$v=19$m=...``), of at
    most 64 MiB, 16 passes and 16 lanes, or one of bcrypt (``$2a$``, ``$2b$``, ``$2y$``) with a
    cost of at most 14. Raises ValueError for anything else. A password of more than 1024 bytes is
    none.

    That takes as long as the hash was meant to take. In the server it happens on a thread of its
    own while other requests go on, and what was right is remembered for five minutes, so that the
    next requests of the same client cost nothing. With too many passwords to verify, the client
    gets a 503. Response hooks can't call it. Whoever may guess often should meet ``rate_limit``
    first.

    Verify something for users that do not exist, too: otherwise the time tells who does.

        USERS = {"ada": "$argon2id$v=19$m=19456,t=2,p=1$..."}
        NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$..."  # of a random password

        right = verify_password(password, USERS.get(user, NOBODY))
        if not right or user not in USERS:
            return Response(401, headers={"WWW-Authenticate": 'Basic realm="site"'})
    """
    from zeroserve import _core  # late: scripts are imported without the server, too

    if _is_answered.get():
        raise Stop("a response hook verifies no passwords: that takes too long")
    try:
        data = password.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = bytes(1025)
    hash = hash.encode("utf-8", "replace").decode()
    return _core.verify_password(data, hash)
