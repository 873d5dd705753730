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

# Pin the newest versions that pyproject.toml allows: hashes, no host names. Binder gets the same without the tests' needs.
lock:
	.venv/bin/uv pip compile --universal --generate-hashes --no-header --upgrade \
	    --extra test pyproject.toml -o requirements.lock.tmp
	mv requirements.lock.tmp requirements.lock
	.venv/bin/uv pip compile --universal --generate-hashes --no-header --no-annotate \
	    --constraint requirements.lock pyproject.toml -o binder/requirements.tmp
	mv binder/requirements.tmp binder/requirements.txt

# Build the notebooks from lessons/.
release:
	.venv/bin/vmlab release

# A static HTML book of the notebooks, in book/.
book:
	.venv/bin/vmlab book
