import sys
from pathlib import Path

# Functions of this directory are named by the tests, as python:odd:...
sys.path.insert(0, str(Path(__file__).parent))
