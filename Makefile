# Aliases; start.py is what does the work.
.PHONY: lab test check lock release book

lab:
	python3 start.py

test:
	python3 start.py test

# What to run before a commit: style, types, and every test that needs no browser.
check:
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q -n auto -m "not browser"

# Pin the newest versions that pyproject.toml allows: hashes, no host names. The lab's are a part of the tests'.
COMPILE = .venv/bin/uv pip compile --universal --generate-hashes --no-header --extra build pyproject.toml
lock:
	$(COMPILE) --upgrade --extra test -o requirements-test.lock.tmp
	mv requirements-test.lock.tmp requirements-test.lock
	$(COMPILE) --constraint requirements-test.lock --no-annotate -o requirements.lock.tmp
	mv requirements.lock.tmp requirements.lock

# Build the notebooks from lessons/.
release:
	.venv/bin/vmlab release

# A static HTML book of the notebooks, in book/.
book:
	.venv/bin/vmlab book
