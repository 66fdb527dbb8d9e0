# Every check that CI runs, in one word: `just check`.
check: lint types layers docs test

lint:
    ruff format --check .
    ruff check .

types:
    basedpyright

layers:
    lint-imports

docs:
    python -m docs.check

# Files of tests stay together, so that what they share is made once.
test *args:
    pytest -n auto --maxprocesses 4 --dist loadfile {{args}}

format:
    ruff format .
    ruff check --fix .
