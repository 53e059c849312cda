"""Print a command of the README: the shell block behind the comment ``<!-- command: NAME -->``."""

import re
import sys
from pathlib import Path

text = (Path(__file__).parent.parent / "README.md").read_text()
found = re.search(rf"<!-- command: {re.escape(sys.argv[1])} -->\n```\w*\n(.*?)\n```", text, re.S)
if not found:
    sys.exit(f"README.md has no command named {sys.argv[1]}")
print(found[1])
