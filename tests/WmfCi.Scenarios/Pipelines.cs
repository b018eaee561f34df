namespace WmfCi.Scenarios;

/// <summary>Pipeline files that the conversations use.</summary>
internal static class Pipelines
{
    public const string Path = ".pipeline/config.yaml";

    /// <summary>One stage that runs a script of the repository.</summary>
    public const string Test = """
        image: host
        commit:
          steps:
            - name: unit tests
              run: sh ./test
          reports: report.xml
        """;

    /// <summary>Two stages; the second tests what the first built.</summary>
    public const string BuildAndTest = """
        image: host
        commit:
          steps: [sh ./build]
          artifacts: program
        acceptance:
          steps: [test "$(sh /artifacts/commit/program)" = hello]
        """;

    /// <summary>A stage that goes on until it is stopped, beside one that fails at once.</summary>
    public const string SlowBesideFailing = """
        image: host
        stages:
          commit: {steps: [touch begun, sleep 300]}
          lint: {steps: [echo bad style; exit 3], needs: []}
        """;

    public const string Passing = "echo '<testsuite name=\"sums\"><testcase classname=\"sums\" name=\"adds\"/></testsuite>' > report.xml";

    public const string Failing = "echo '<testsuite name=\"sums\"><testcase classname=\"sums\" name=\"adds\"><failure message=\"expected 5, got 6\"/></testcase></testsuite>' > report.xml; echo FAIL; exit 1";
}
