"""Pages of the documentation as tests see them: fenced blocks, links, headings, messages of errors."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "deploy" / "README.md"]

_FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"(Add to )?(?:this |new |in )?`([\w.-]+)`:\s*$")
_GAP = re.compile(r"\.\.\.|'[^']*'|\[\.\.\.\]|\d[\d,.]*")
_HOLE = "\0"


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: what stands after the fence.
        code: its text.
        line: of the page, on which its text begins, from 1.
        file: where the line before ends with "`name`:", this name: the block is the content of a file.
        is_added: whether that line says "Add to `name`:", for the end of the file.
    """

    language: str
    code: str
    line: int
    file: str | None = None
    is_added: bool = False


def blocks(page: Path, *languages: str) -> list[Block]:
    """The blocks of a page, in order; those of some languages, if any are named."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        before = _FILE.search(text[: match.start()])
        line = text[: match.start(2)].count("\n") + 1
        found.append(Block(match[1], match[2], line, before and before[2], bool(before and before[1])))
    return [block for block in found if not languages or block.language in languages]


def script(page: Path) -> str:
    """The Python blocks of a page as one script, each line where it stands on the page."""
    lines = [""] * (page.read_text().count("\n") + 1)
    for block in blocks(page, "python"):
        if block.file is None:
            code = block.code.splitlines()
            lines[block.line - 1 : block.line - 1 + len(code)] = code
    return "\n".join(lines) + "\n"


def prose(page: Path) -> str:
    """The text of a page without its blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[tuple[str, str]]:
    """The relative links of a page: path, which is empty within the page, and heading, which may be empty."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [(t.partition("#")[0], t.partition("#")[2]) for t in targets if "://" not in t]


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub and the built pages link to them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[str]:
    """The commands of a page, in order."""
    return [command for block in blocks(page, "sh") for command in commands_of(block)]


def commands_of(block: Block) -> list[str]:
    """The commands of a shell block, without comments; continued lines are joined, `&&` separates."""
    joined = re.sub(r"\\\n\s*", "", block.code)
    lines = [line.partition(" #")[0] for line in joined.splitlines() if not line.startswith("#")]
    return [command.strip() for line in lines for command in line.split(" && ") if command.strip()]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of the Markdown tables in a text, without heads."""
    for line in text.splitlines():
        if line.startswith("|") and not re.match(r"^\|[-| ]+\|$", line):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(page: Path, title: str) -> str:
    """What stands under a heading of the second level."""
    parts = re.split(r"^## (.*)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def message(node: ast.expr) -> str:
    """A text of the source, with a hole for everything that is put in when it runs."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(message(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return message(left) + message(right)
    return _HOLE


def messages(folder: Path) -> set[str]:
    """Every text in the source of a folder."""
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    return {message(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.expr)}


def raised(folder: Path, errors: set[str]) -> dict[str, str]:
    """The messages with which the source of a folder raises some errors, and where."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[text, *_])) if name in errors:
                    found[message(text)] = f"{path.relative_to(folder)}:{node.lineno}"
    return found


def as_pattern(fragment: str) -> re.Pattern[str]:
    """What a message must hold that a page quotes in part: names, numbers and `...` stand for anything."""
    return re.compile(".*".join(re.escape(part.strip()) for part in _GAP.split(fragment)), re.DOTALL)
