"""Lists that functions make: comprehensions, and variables that grow."""

import json


def list_comprehension(few: str, other_few: str, small: int) -> str:
    letters = [c.upper() for c in few if c not in other_few]
    numbers = [n * n - small for n in range(len(few))]
    pairs = [(at, c) for at, c in enumerate(other_few)]
    found = f"{numbers[-1] if numbers else None} {sum(numbers)} {len(pairs)}"
    for at, c in pairs:
        found += f" {at}{c}"
    return found + "".join(letters)


def list_of_optionals(few: str, other_few: str) -> str:
    found = [c if c in few else None for c in other_few]
    return "".join("?" if c is None else c for c in found)


def list_json(few: str, other_few: str) -> str:
    parts = few.split("a")
    rows = json.dumps([{"c": c, "in": c in few} for c in other_few])
    return rows + json.dumps({"parts": parts, "twice": [part * 2 for part in parts]})


def list_append(few: str, other_few: str, small: int) -> str:
    seen: list[str] = []
    counts: list[tuple[str, int]] = []
    for c in few + other_few:
        if c not in seen:
            seen.append(c)
            counts.append((c, few.count(c) - small))
    total = 0
    for _, count in counts:
        total += count
    if not seen:
        return "nothing"
    return f"{seen[0]}{seen[-1]}{len(counts)}{total}" + ",".join(seen[1:])


def list_append_anew(few: str) -> int:
    total = 0
    for at in range(len(few)):
        inner = []
        for n in range(at * 3):
            inner.append(n * at)
        total += sum(inner) + len(inner)
    return total
