"""Dicts written in a function: not values, but their members are evaluated where they stand, and
a variable may name them until they are given to ``Response``, ``json.dumps`` or ``urlencode``."""

import ast

from zeroserve.compiler.base import Base
from zeroserve.compiler.diagnostics import Refusal
from zeroserve.compiler.scope import META_TYPES
from zeroserve.compiler.tree import Const, Expr, Stmt

HINT = (
    "give it to Response, json.dumps or urlencode as a whole; look things up in a constant of the "
    "module"
)


class Displays(Base):
    """What variables that hold such a dict stand for."""

    def keep(self, name: str, node: ast.Dict) -> list[Stmt]:
        """Evaluate the members, each into a variable of its own."""
        body = self.declared.node.body
        sets = [
            part
            for stmt in body
            for part in ast.walk(stmt)
            if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Store)
        ]
        if len(sets) > 1:
            raise Refusal(
                node, f"a dict in {name}, which is set in several places", "use another name"
            )
        stores: list[Stmt] = []
        self.displays[name] = self._kept(node, name, stores)
        stores.append(self.assign(f"{name}.", self.const(True, node), node))
        return stores

    def _kept(self, node: ast.expr, name: str, stores: list[Stmt]) -> ast.expr:
        if isinstance(node, ast.Dict):
            if None in node.keys:
                raise Refusal(node, "** in a dict", "write the members one by one")
            keys: list[ast.expr | None] = []
            values: list[ast.expr] = []
            for at, (key, item) in enumerate(zip(node.keys, node.values, strict=True)):
                if key is not None:
                    keys.append(self._kept(key, f"{name}.key {at}", stores))
                values.append(self._kept(item, f"{name}.{at}", stores))
            return ast.copy_location(ast.Dict(keys, values), node)
        if isinstance(node, ast.List | ast.Tuple):
            items = [self._kept(item, f"{name}.{at}", stores) for at, item in enumerate(node.elts)]
            return ast.copy_location(type(node)(items, ast.Load()), node)
        known = self.display(node)
        if known is not node:  # as it is now: in a loop it may become another
            return self._kept(known, name, stores)
        value = self.expr(node)
        if isinstance(value, Const):
            if value.type in META_TYPES or not isinstance(value.value, str | bytes | int | None):
                return node
            return ast.copy_location(ast.Constant(value.value), node)
        stores.append(self.assign(name, value, node))
        return ast.copy_location(ast.Name(name, ast.Load()), node)

    def display(self, node: ast.expr) -> ast.expr:
        """What a variable stands for, if it holds such a dict; otherwise the expression."""
        if not isinstance(node, ast.Name) or node.id not in self.displays or self.flow is None:
            return node
        if self.locals.get(f"{node.id}.") not in self.flow:
            raise Refusal(
                node,
                f"{node.id} may not have a value here",
                "give it one before, or on every way that leads here",
            )
        return self.displays[node.id]

    def expr(self, node: ast.expr) -> Expr:
        raise NotImplementedError
