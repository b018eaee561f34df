using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>What <c>type</c> stands for: an image and the steps of the commit stage, kept here so that they change in one place for all repositories.</summary>
/// <param name="Name">As written.</param>
/// <param name="Image">The default image of all stages.</param>
/// <param name="Steps">The steps of the commit stage where it has none of its own.</param>
public sealed record BuildType(string Name, string Image, ValueArray<Step> Steps)
{
    /// <summary>Whether the steps fetch what the project depends on, so that a commit stage made of them has the network unless it says otherwise.</summary>
    public bool NeedsNetwork { get; init; } = true;

    /// <summary>The test reports that the steps leave.</summary>
    public ValueArray<string> Reports { get; init; } = [];
}

/// <summary>The one table of types. Each step runs in a sandbox of its own with the same workspace, so what a step installs for the next goes into the
/// workspace.</summary>
public static class BuildTypes
{
    private const string Venv = ".venv-ci";

    /// <summary>All of them, in the order in which they are documented.</summary>
    public static ValueArray<BuildType> All { get; } =
    [
        new("go", "docker.io/library/golang:1.24", [new("build", "go build ./..."), new("vet", "go vet ./..."), new("test", "go test ./...")]),
        new(
            "python",
            "docker.io/library/python:3.13",
            [
                new("install", $"""
                    python3 -m venv {Venv}
                    for list in requirements.txt requirements-dev.txt requirements-test.txt; do
                      if [ -f "$list" ]; then {Venv}/bin/pip install -r "$list"; fi
                    done
                    if [ -f pyproject.toml ] || [ -f setup.py ]; then {Venv}/bin/pip install -e .; fi
                    {Venv}/bin/pip install pytest
                    """),
                new("test", $"{Venv}/bin/python -m pytest --ignore={Venv} --junit-xml=junit.xml"),
            ]) { Reports = ["junit.xml"] },
        new("node", "docker.io/library/node:22", [new("install", "if [ -f package-lock.json ]; then npm ci; else npm install; fi"), new("test", "npm test")]),
        new(
            "php",
            "docker.io/library/composer:2",
            [
                new("install", "composer install --no-interaction --no-progress"),
                new("test", "composer test"),
            ]),
        new("java", "docker.io/library/maven:3-eclipse-temurin-21", [new("verify", "mvn --batch-mode --no-transfer-progress -Dmaven.repo.local=.m2-ci verify")])
        {
            Reports = ["**/target/surefire-reports/TEST-*.xml", "**/target/failsafe-reports/TEST-*.xml"],
        },
        new(
            "ruby",
            "docker.io/library/ruby:3.4",
            [
                new("install", "BUNDLE_PATH=.bundle-ci bundle install"),
                new("test", "BUNDLE_PATH=.bundle-ci bundle exec rake test"),
            ]),
        new(
            "rust",
            "docker.io/library/rust:1",
            [new("build", "CARGO_HOME=.cargo-ci cargo build --all-targets"), new("test", "CARGO_HOME=.cargo-ci cargo test")]),
        new("dotnet", "mcr.microsoft.com/dotnet/sdk:10.0", [new("build", "dotnet build"), new("test", "dotnet test")]),
        new("make", "docker.io/library/buildpack-deps:bookworm", [new("build", "make"), new("test", "make test")]) { NeedsNetwork = false },
        new(
            "shell",
            "docker.io/library/buildpack-deps:bookworm",
            [
                new("syntax", "find . -name '*.sh' -print0 | xargs -0 -r -n 1 bash -n"),
                new("test", """
                    for test in ./check ./test.sh ./tests/run; do
                      if [ -x "$test" ]; then exec "$test"; fi
                    done
                    echo 'There is no executable check, test.sh or tests/run to run.' >&2
                    exit 1
                    """),
            ]) { NeedsNetwork = false },
    ];

    /// <summary>The type of a name, or null.</summary>
    public static BuildType? Find(string name) => All.FirstOrDefault(type => type.Name == name);
}
