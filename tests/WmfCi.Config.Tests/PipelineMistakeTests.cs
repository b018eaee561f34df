namespace WmfCi.Config.Tests;

/// <summary>One test for each kind of mistake: where it is told, what is said, what is advised.</summary>
public sealed class PipelineMistakeTests
{
    private const string Good = "image: host\ncommit: make\n";

    [Fact]
    public void A_misspelt_key_is_answered_with_the_nearest() =>
        Expect.Mistake("image: host\ncommit: make\nenviroment: {A: b}", (3, 1), "`enviroment` is no key", "`environment`");

    [Fact]
    public void A_key_of_another_system_is_answered_with_ours() =>
        Expect.Mistake("image: host\ncommit:\n  script: make", (3, 3), "`script` is no key of `commit`", "`steps`");

    [Fact]
    public void A_misspelt_key_of_another_system_is_answered_with_ours() =>
        Expect.Mistake("langage: go\ncommit: make\nimage: host", (1, 1), "`langage` is no key", "`type`");

    [Fact]
    public void A_strange_key_is_answered_with_all_keys() => Expect.Mistake(Good + "xyzzy: 1", (3, 1), "`xyzzy`", "`image`, `type`");

    [Fact]
    public void A_stage_at_the_top_is_sent_under_stages() => Expect.Mistake(Good + "performance: [make perf]", (3, 1), "`performance`", "under `stages:`");

    [Fact]
    public void A_command_that_YAML_takes_for_a_map_shall_be_quoted() =>
        Expect.Mistakes("image: host\ncommit:\n  - echo hello: world").ShouldContain(mistake => mistake.Line == 3 && mistake.Advice.Contains("quotes"));

    [Fact]
    public void A_timeout_without_a_unit_is_answered_with_both_meanings() =>
        Expect.Mistake("image: host\ntimeout: 5\ncommit: make", (2, 10), "without a unit", "`5m` for minutes or `5s` for seconds");

    [Theory]
    [InlineData("soon", "must be a length of time")]
    [InlineData("5m1h", "must be a length of time")]
    [InlineData("5 m", "must be a length of time")]
    [InlineData("0s", "is shorter than 1s")]
    [InlineData("7h", "is longer than 6h")]
    [InlineData("99999999h", "must be a length of time")]
    public void A_timeout_that_is_none_is_refused(string timeout, string problem) =>
        Expect.Mistake($"image: host\ntimeout: {timeout}\ncommit: make", (2, 10), problem, "Write");

    [Fact]
    public void Yes_is_not_true() => Expect.Mistake("image: host\ncommit: {steps: make, network: yes}", (2, 32), "not `yes`", "Write `true`");

    [Fact]
    public void A_quoted_truth_is_none() =>
        Expect.Mistake("image: host\ncommit: {steps: make, network: \"false\"}", (2, 32), "`true` or `false`", "Write `false`, without quotes");

    [Fact]
    public void An_unknown_type_is_answered_with_the_nearest() => Expect.Mistake("type: pyton", (1, 7), "`pyton`", "`python`");

    [Fact]
    public void A_file_without_commit_and_type_is_refused() =>
        Expect.Mistake("image: host\nacceptance: make", (1, 1), "no stage `commit`", "commit: make test");

    [Fact]
    public void A_stage_without_an_image_is_refused() => Expect.Mistake("commit: make", (1, 1), "no image", "`image: host`");

    [Fact]
    public void A_stage_without_steps_is_refused() =>
        Expect.Mistake(Good + "acceptance: {timeout: 5m}", (3, 1), "`acceptance` has no steps", "steps: [make test]");

    [Fact]
    public void Empty_steps_are_refused() => Expect.Mistake(Good + "acceptance: {steps: []}", (3, 21), "`steps` is empty", "make test");

    [Fact]
    public void A_key_without_a_value_is_refused() => Expect.Mistake(Good + "acceptance:\n", (3, 12), "`acceptance` has no value", "make acceptance-test");

    [Fact]
    public void A_list_where_a_text_belongs_is_refused() =>
        Expect.Mistake("image: [host]\ncommit: make", (1, 8), "must be the name of an image, not a list", "image: ");

    [Fact]
    public void An_empty_command_is_refused() => Expect.Mistake("image: host\ncommit: [' ']", (2, 10), "empty command", "make test");

    [Fact]
    public void A_step_without_a_command_is_refused() => Expect.Mistake("image: host\ncommit: [make, {name: x}]", (2, 16), "lacks `run`", "run: make test");

    [Fact]
    public void Two_steps_of_one_name_are_refused() =>
        Expect.Mistake("image: host\ncommit:\n- {name: a, run: b}\n- {name: a, run: c}", (4, 10), "`a`, here and in line 3", "name of its own");

    [Fact]
    public void A_need_that_does_not_exist_is_answered_with_the_nearest() =>
        Expect.Mistake(Good + "stages: {lint: l, perf: {steps: p, needs: [lnit]}}", (3, 44), "`perf` needs `lnit`", "`lint`");

    [Fact]
    public void A_stage_that_needs_itself_is_refused() => Expect.Mistake(Good + "stages: {a: {steps: p, needs: a}}", (3, 31), "needs itself", "Remove");

    [Fact]
    public void A_circle_is_named_with_its_path() =>
        Expect.Mistake(
            Good + "stages:\n  a: {steps: x, needs: c}\n  b: {steps: x, needs: a}\n  c: {steps: x, needs: b}",
            (5, 24),
            "`a` needs `c` needs `b` needs `a`",
            "Remove one");

    [Fact]
    public void Nothing_may_wait_for_deployment() =>
        Expect.Mistake(Good + "deployment: d\nstages: {smoke: {steps: s, needs: deployment}}", (4, 35), "cannot run yet", "`acceptance`");

    [Fact]
    public void A_refused_stage_causes_no_second_mistake_at_those_who_need_it() =>
        Expect.Mistake(Good + "stages: {lint: 5m: 3}".Replace("5m: 3", "[[x]]") + "\nacceptance: {steps: a, needs: lint}", (3, 17), "must be a step", "lint");

    [Fact]
    public void A_stage_name_is_put_right() => Expect.Mistake(Good + "stages: {Unit Tests: make}", (3, 10), "lower-case letters", "`unit-tests`");

    [Fact]
    public void A_stage_that_stands_twice_is_refused() => Expect.Mistake(Good + "stages: {commit: make}", (3, 10), "here and in line 2", "Keep one");

    [Theory]
    [InlineData("2FAST", "letters, digits and underscores")]
    [InlineData("A-B", "letters, digits and underscores")]
    [InlineData("wmfci_url", "`WMFCI_`")]
    public void A_variable_that_cannot_be_set_is_refused(string name, string problem) =>
        Expect.Mistake(Good + $"environment: {{{name}: x}}", (3, 15), problem, "");

    [Theory]
    [InlineData("/etc/passwd", "slash")]
    [InlineData("a/../../b", "`..`")]
    [InlineData("..", "`..`")]
    [InlineData("'a\\b'", "backslash")]
    [InlineData("' '", "a path or a pattern")]
    public void A_pattern_that_leaves_the_workspace_is_refused(string pattern, string problem) =>
        Expect.Mistake($"image: host\ncommit:\n  steps: make\n  artifacts: {pattern}", (4, 14), problem, "Write");

    [Fact]
    public void A_NUL_in_a_pattern_is_refused() => Expect.Mistake("image: host\ncommit: {steps: make, artifacts: \"a\\0b\"}", (2, 34), "NUL", "Remove");

    [Theory]
    [InlineData("'-v /:/host'")]
    [InlineData("--privileged")]
    [InlineData("'a b'")]
    [InlineData("'image;ls'")]
    public void An_image_that_could_be_an_option_or_a_command_is_refused(string image) =>
        Expect.Mistake($"image: {image}\ncommit: make", (1, 8), "`image` cannot be", "docker.io/library/");

    [Theory]
    [InlineData("a{b}")]
    [InlineData("a:${")]
    [InlineData("a:$x")]
    [InlineData("a:}")]
    public void An_image_with_a_stray_brace_or_dollar_is_refused(string image) =>
        Expect.Mistakes($"commit: {{image: '{image}', steps: make}}").ShouldHaveSingleItem();

    [Fact]
    public void A_matrix_in_the_image_of_the_file_is_refused() =>
        Expect.Mistake("image: 'a:${php}'\ncommit: make", (1, 8), "cannot use a matrix", "in the stage");

    [Fact]
    public void An_image_with_an_unknown_axis_is_answered_with_the_known() =>
        Expect.Mistake("commit: {image: 'php:${pph}', steps: make, matrix: {php: [8.1]}}", (1, 17), "`${pph}`", "`${php}`");

    [Fact]
    public void A_matrix_value_must_fit_into_the_image() =>
        Expect.Mistake("commit: {image: 'php:${php}', steps: make, matrix: {php: [a b]}}", (1, 17), "`php:a b`", "letters, digits");

    [Fact]
    public void An_axis_that_is_a_variable_too_is_refused() =>
        Expect.Mistake("image: host\ncommit: {steps: make, environment: {php: x}, matrix: {php: [8.1]}}", (2, 55), "both an axis and a variable", "Rename");

    [Fact]
    public void An_axis_with_a_value_twice_is_refused() =>
        Expect.Mistake("image: host\ncommit: {steps: make, matrix: {php: [8.1, '8.1']}}", (2, 43), "twice", "once");

    [Fact]
    public void An_axis_without_a_list_is_refused() =>
        Expect.Mistake("image: host\ncommit: {steps: make, matrix: {php: 8.1}}", (2, 37), "must be a list of values", "php: [8.1, 8.3]");

    [Fact]
    public void A_matrix_of_too_many_cells_is_refused() =>
        Expect.Mistake(
            "image: host\ncommit: {steps: make, matrix: {a: [1,2,3,4,5,6,7,8], b: [1,2,3,4,5,6,7,8]}}",
            (2, 32),
            "64 cells, more than 50",
            "Leave out values");

    [Fact]
    public void A_key_that_stands_twice_is_told_with_both_lines() => Expect.Mistake(Good + "image: host", (3, 1), "here and in line 1", "Keep one");

    [Fact]
    public void A_list_instead_of_a_file_is_refused() => Expect.Mistake("- make", (1, 1), "The file must be a map", "commit: make test");

    [Fact]
    public void Hostile_text_in_a_mistake_is_short_and_harmless()
    {
        var mistake = Expect.Mistakes(Good + "\"\\e[31m\\u202e" + new string('x', 300) + "\": 1")[0];
        mistake.Problem.Length.ShouldBeLessThan(120);
        mistake.Problem.ShouldAllBe(c => !char.IsControl(c) && c != '\u202e');
    }
}
