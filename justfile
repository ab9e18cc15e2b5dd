# Verbs for developers; `just` without a verb lists them. HACKING.md tells what each is for.
default:
    @just --list

# Install the package into the active environment, with what the tests need.
install:
    pip install '.[test]'

# Build the C++ engine and its tests with a CMake preset: dev, asan or release.
build preset="dev":
    cmake --preset {{preset}}
    cmake --build --preset {{preset}}

# Run the C++ tests of a preset; further arguments go to ctest, such as -R trie.
test preset="dev" *arguments: (build preset)
    ctest --preset {{preset}} {{arguments}}

# Feed spoiled inputs to every reader, under the sanitizers.
fuzz seconds="60": (build "asan")
    build/asan/tests/fuzz/agpt_fuzz --seconds {{seconds}}

# Run the Python tests on the installed package.
pytest *arguments:
    pytest {{arguments}}

# Lint, check formatting, types and the layers of the C++ sources.
lint:
    ruff check .
    ruff format --check .
    git ls-files '*.cpp' '*.h' '*.cu' '*.cuh' ':!third_party' | xargs clang-format --dry-run --Werror
    mypy -p agpt
    mypy tools
    python tools/check_includes.py

# Format the Python sources.
fmt:
    ruff format .
    git ls-files '*.cpp' '*.h' '*.cu' '*.cuh' ':!third_party' | xargs clang-format -i
    ruff check --fix .

# The whole job on a built-in corpus, in about a minute.
demo:
    agpt-demo

# Everything that has to pass before a change is merged.
ci:
    .ci/run
