using WmfCi.Config.Shapes;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>The syntax of <c>.pipeline/config.yaml</c>: the one table behind the reader, its advice, the JSON schema and the documentation.</summary>
internal static class PipelineKeys
{
    public const string Image = "image";
    public const string Type = "type";
    public const string Environment = "environment";
    public const string Timeout = "timeout";
    public const string Stages = "stages";
    public const string Steps = "steps";
    public const string Needs = "needs";
    public const string Matrix = "matrix";
    public const string Artifacts = "artifacts";
    public const string Reports = "reports";
    public const string Network = "network";
    public const string History = "history";
    public const string Voting = "voting";
    public const string Name = "name";
    public const string Run = "run";
    public const string Services = "services";
    public const string Worker = "worker";
    public const string Ready = "ready";
    public const string User = "user";

    private const string StageExpected = "a stage: a command, a list of steps, or a map with `steps`";

    private static readonly TextShape _script = new("a command", PipelineRules.Script) { Longest = PipelineLimits.ScriptLength, TakesNumbers = true };

    private static readonly TextShape _variable = new("a text", PipelineRules.None)
    {
        Longest = PipelineLimits.VariableValueLength,
        MayBeNothing = true,
        TakesNumbers = true,
    };

    private static readonly TextShape _pattern = new("a pattern of paths", PipelineRules.Pattern) { Longest = PipelineLimits.PatternLength };

    private static readonly TextShape _value = new("a text or number", PipelineRules.Value)
    {
        Longest = PipelineLimits.ValueLength,
        Pattern = PipelineRules.ValuePattern,
        TakesNumbers = true,
    };

    private static readonly TextShape _stageName = new("the name of a stage", PipelineRules.StageName)
    {
        Longest = PipelineLimits.StageNameLength,
        Pattern = PipelineRules.StageNamePattern,
    };

    private static readonly Shape _environment = new MapShape(PipelineRules.VariableName, _variable, "a map from names to texts")
    {
        Definition = "environment",
        Most = PipelineLimits.Variables,
        KeyPattern = PipelineRules.VariableNamePattern,
        EntryName = "The variable",
    };

    private static readonly Shape _timeout = Quantity.Time(PipelineLimits.ShortestTimeout, PipelineLimits.LongestTimeout);

    private static readonly Shape _patterns = new ListShape(_pattern, "a pattern or a list of patterns")
    {
        Definition = "patterns",
        Most = PipelineLimits.Patterns,
        OrOne = true,
    };

    private static readonly Shape _matrix = new MapShape(
        PipelineRules.VariableName,
        new ListShape(_value, "a list of values") { Most = PipelineLimits.ValuesPerAxis, Least = 1 },
        "a map from names to lists of values")
    {
        Most = PipelineLimits.Axes,
        KeyPattern = PipelineRules.VariableNamePattern,
        EntryName = "The axis",
    };

    /// <summary>A step that is more than a command.</summary>
    public static KeyedShape Step { get; } = new(
        "a step: a command, or a map with `name` and `run`",
        [
            new(
                Name,
                "text",
                new TextShape("a text", PipelineRules.StepName) { Longest = PipelineLimits.StepNameLength },
                "What logs and messages call the step. Without it: the first line of the command.",
                "name: unit tests"),
            new(Run, "command", _script, "The command, for `/bin/sh -e`; several lines after a `|`.", "run: make test")
            {
                IsRequired = true,
                Otherwise = ["script", "command", "commands", "cmd", "shell", "sh", "exec", "steps"],
            },
        ])
    {
        AdviseOnUnknown = PipelineRules.AdviseOnStep,
    };

    private static readonly Shape _steps = new ListShape(
        new FormsShape("a step: a command, or a map with `name` and `run`") { Definition = "step", ForText = _script, ForMap = Step },
        "a list of commands")
    {
        Definition = "steps",
        Most = PipelineLimits.Steps,
        Least = 1,
        OrOne = true,
    };

    private static readonly TextShape _serviceImage = new("the name of an image", PipelineRules.ServiceImage)
    {
        Longest = PipelineLimits.ImageLength,
        Pattern = PipelineRules.ImagePattern,
    };

    /// <summary>A service that is more than an image.</summary>
    public static KeyedShape Service { get; } = new(
        "a service: the name of an image, or a map with `image`",
        [
            new(
                Image,
                "text",
                _serviceImage,
                "The container image, run with its own command. `${axis}` stands for a value of the stage's matrix.",
                "image: docker.io/library/mariadb:11") { IsRequired = true, Otherwise = ["img", "container", "docker"] },
            new(
                Environment,
                "map of texts",
                _environment,
                "Its variables. Those of the file and of the stage are not its.",
                "environment:\n  MARIADB_ROOT_PASSWORD: for-tests") { Short = "environment: {MARIADB_ROOT_PASSWORD: for-tests}", Otherwise = ["env", "variables", "vars"] },
            new(
                Ready,
                "port or command",
                new TextShape("a port or a command", PipelineRules.Ready) { Longest = PipelineLimits.ReadyLength, TakesNumbers = true },
                "When the steps may begin: a TCP port that answers, or a command for `/bin/sh -c` in the service that exits with 0. Without it: when it runs.",
                "ready: 3306") { Otherwise = ["port", "healthcheck", "health", "wait"] },
            new(
                User,
                "number",
                new NumberShape(1, PipelineLimits.HighestUser),
                "The id of the user that it runs as, which is never root. Without it: the image's own.",
                "user: 999") { Otherwise = ["uid", "runAsUser"] },
        ]);

    private static readonly Shape _services = new MapShape(
        PipelineRules.ServiceName,
        new FormsShape("a service: the name of an image, or a map with `image`") { Definition = "service", ForText = _serviceImage, ForMap = Service },
        "a map from names to images or maps")
    {
        Most = PipelineLimits.Services,
        KeyPattern = PipelineRules.ServiceNamePattern,
        EntryName = "The service",
    };

    /// <summary>A stage in its long form.</summary>
    public static KeyedShape StageMap { get; } = new(
        StageExpected,
        [
            new(
                Steps,
                "list of steps",
                _steps,
                "What it does: commands, run one after another until one fails, all in the same workspace. The commit stage of a file with a `type` may go without.",
                "steps:\n  - make\n  - make test")
            {
                Short = "steps: [make, make test]",
                Otherwise = ["step", "script", "scripts", "run", "command", "commands", "cmd", "tasks", "before_script", "build"],
            },
            new(
                Image,
                "text",
                new TextShape("the name of an image", PipelineRules.Image) { Longest = PipelineLimits.ImageLength, Pattern = PipelineRules.ImagePattern },
                "The container image that the steps run in, or `host`. `${axis}` stands for a value of the matrix. Without it: that of the file.",
                "image: docker.io/library/php:${php}-cli")
            {
                Otherwise = ["container", "docker", "runs-on"],
            },
            new(
                Needs,
                "list of names, or one",
                new ListShape(_stageName, "a list of names of stages") { Most = PipelineLimits.Stages, OrOne = true },
                "The stages that must succeed first; `[]` starts at once. Without it: commit needs nothing, deployment needs acceptance where there is one, all others need commit.",
                "needs: [commit, lint]")
            {
                Otherwise = ["need", "depends", "depends_on", "depends-on", "dependencies", "after", "requires"],
            },
            new(
                Environment,
                "map of texts",
                _environment,
                "Variables of its steps, besides and before those of the file. Values are texts as they are written.",
                "environment:\n  MODE: fast")
            {
                Short = "environment: {MODE: fast}",
                Otherwise = ["env", "variables", "vars"],
            },
            new(
                Matrix,
                "map of lists",
                _matrix,
                "Runs the stage once for each combination of values. An axis is also a variable of that name (`$php`).",
                "matrix:\n  php: [8.1, 8.3]\n  db: [mariadb, sqlite]") { Short = "matrix: {php: [8.1, 8.3]}" },
            new(
                Services,
                "map of services",
                _services,
                "Databases and the like that run beside its steps, which reach each by its name. The commit stage has none.",
                "services:\n  db: docker.io/library/mariadb:11")
            {
                Short = "services: {db: \"docker.io/library/mariadb:11\"}",
                Otherwise = ["service", "databases", "sidecars"],
            },
            new(
                Worker,
                "text",
                new TextShape("the name of a class of workers", PipelineRules.Worker) { Longest = DnsName.LabelLength, Pattern = DnsName.LabelPattern },
                "The site's class of workers that it runs on, where the site has several. Without it: the site's choice.",
                "worker: large")
            {
                Otherwise = ["workers", "class", "node", "size", "resources", "tags"],
            },
            new(
                Artifacts,
                "list of patterns, or one",
                _patterns,
                "Files to keep, relative to the repository. `*` stands for anything within a folder, `**` for any folders.",
                "artifacts: build/**/*.deb")
            {
                Otherwise = ["artifact", "artefacts", "files", "outputs"],
            },
            new(
                Reports,
                "list of patterns, or one",
                _patterns,
                "JUnit XML files to read, so that messages can name the test that failed.",
                "reports: build/junit/*.xml")
            {
                Otherwise = ["report", "junit", "test-results", "tests"],
            },
            new(
                Timeout,
                "length of time",
                _timeout,
                $"How long all its steps may take together. Without it: that of the file, else {Quantity.WriteTime(PipelineLimits.CommitTimeout)} for commit and {Quantity.WriteTime(PipelineLimits.StageTimeout)} for others.",
                "timeout: 1h30m")
            {
                Otherwise = ["time", "limit", "timeout-minutes"],
            },
            new(
                Voting,
                "true or false",
                new TruthShape(),
                "Whether its failure fails the whole. Without it: true.",
                "voting: false") { Otherwise = ["vote", "allow_failure", "required"] },
            new(
                Network,
                "true or false",
                new TruthShape(),
                "Whether its steps may use the network. Without it: false, and true for a commit stage whose steps come from a `type` that fetches.",
                "network: true") { Otherwise = ["internet"] },
            new(
                History,
                "true or false",
                new TruthShape(),
                "Whether the workspace has the history (`.git`), not only the files. Without it: false.",
                "history: true") { Otherwise = ["git", "fetch-depth"] },
        ])
    {
        Definition = "stage-map",
    };

    private static readonly Shape _stage = new FormsShape(StageExpected) { Definition = "stage", ForText = _script, ForList = _steps, ForMap = StageMap };

    /// <summary>The file.</summary>
    public static KeyedShape File { get; } = new(
        "a map with `commit` and other keys",
        [
            new(
                Image,
                "text",
                new TextShape("the name of an image", PipelineRules.ImageOfAll) { Longest = PipelineLimits.ImageLength, Pattern = PipelineRules.ImagePattern },
                "The container image of all stages that name none; `host` means the programs of the worker itself. Without it: that of the `type`.",
                "image: docker.io/library/python:3.13")
            {
                Otherwise = ["container", "docker", "base"],
            },
            new(
                Type,
                "one of the types below",
                new ChoiceShape([.. BuildTypes.All.Select(type => type.Name)]),
                "What kind of project it is: gives the image and the steps of the commit stage, where the file gives none.",
                "type: go")
            {
                Otherwise = ["language", "lang", "kind"],
            },
            new(
                Environment,
                "map of texts",
                _environment,
                "Variables of all stages.",
                "environment:\n  LANG: C.UTF-8") { Short = "environment: {LANG: C.UTF-8}", Otherwise = ["env", "variables", "vars"] },
            new(Timeout, "length of time", _timeout, "How long each stage may take that says nothing itself.", "timeout: 10m"),
            new(
                StageNames.Commit,
                "stage",
                _stage,
                "Builds once and tests fast, without services. Every file has it, in writing or by its `type`.",
                "commit: make test") { Otherwise = ["build", "check", "steps", "script"] },
            new(StageNames.Acceptance, "stage", _stage, "Tests what commit built, as a whole.", "acceptance: make acceptance-test"),
            new(
                StageNames.Deployment,
                "stage",
                _stage,
                "Deploys what was built and tested. It is checked and shown, but comes in a later version.",
                "deployment: make deploy") { Otherwise = ["deploy"] },
            new(
                Stages,
                "map of stages",
                new MapShape(PipelineRules.StageName, _stage, "a map from names to stages")
                {
                    Most = PipelineLimits.Stages,
                    KeyPattern = PipelineRules.StageNamePattern,
                    EntryName = "The stage",
                },
                "Further stages, by names of lower-case letters, digits and dashes. The three above may stand here too.",
                "stages:\n  lint: make lint")
            {
                Short = "stages: {lint: make lint}",
                Otherwise = ["stage", "jobs", "job", "tasks"],
            },
        ])
    {
        IsFile = true,
        AdviseOnUnknown = PipelineRules.AdviseOnFile,
    };
}
