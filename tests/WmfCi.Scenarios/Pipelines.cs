namespace WmfCi.Scenarios;

/// <summary>Pipeline files that the conversations use.</summary>
/// <param name="Image">What their steps run in.</param>
public sealed record Pipelines(string Image)
{
    /// <summary>For the programs of the machine itself.</summary>
    public static Pipelines OnTheHost { get; } = new("host");

    public const string Path = ".pipeline/config.yaml";

    /// <summary>One stage that runs a script of the repository.</summary>
    public string Test => $"""
        image: {Image}
        commit:
          steps:
            - name: unit tests
              run: sh ./test
          reports: report.xml
        """;

    /// <summary>Two stages; the second tests what the first built.</summary>
    public string BuildAndTest => $"""
        image: {Image}
        commit:
          steps: [sh ./build]
          artifacts: program
        acceptance:
          steps: [test "$(sh /artifacts/commit/program)" = hello]
        """;

    /// <summary>A stage that goes on until it is stopped, beside one that fails at once.</summary>
    public string SlowBesideFailing => $$"""
        image: {{Image}}
        stages:
          commit: {steps: [touch begun, sleep 300]}
          lint: {steps: [echo bad style; exit 3], needs: []}
        """;

    public const string Passing = "echo '<testsuite name=\"sums\"><testcase classname=\"sums\" name=\"adds\"/></testsuite>' > report.xml";

    public const string Failing = "echo '<testsuite name=\"sums\"><testcase classname=\"sums\" name=\"adds\"><failure message=\"expected 5, got 6\"/></testcase></testsuite>' > report.xml; echo FAIL; exit 1";
}
