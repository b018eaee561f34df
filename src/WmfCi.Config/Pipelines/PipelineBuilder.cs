using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>Makes the model of what was written: fills in defaults, expands matrices, and judges what only the whole shows.</summary>
internal sealed class PipelineBuilder
{
    /// <summary>What people read at a deployment stage.</summary>
    internal const string DeploymentUnavailable = "Deployment comes in a later version; the stage is checked, but does not run.";

    private readonly PipelineSyntax _file;
    private readonly Mistakes _mistakes;
    private readonly BuildType? _type;

    private PipelineBuilder(PipelineSyntax file, Mistakes mistakes)
    {
        _mistakes = mistakes;
        _type = file.Type is null ? null : BuildTypes.Find(file.Type.Value);
        _file = WithCommit(file);
    }

    /// <summary>Makes the model.</summary>
    /// <returns>Something of use only when no mistake was noted.</returns>
    public static Pipeline Build(PipelineSyntax file, Mistakes mistakes)
    {
        var builder = new PipelineBuilder(file, mistakes);
        var ordered = NeedsGraph.Order(builder._file, mistakes);
        if (!builder.JudgeNumbers()) return new Pipeline([]);
        return new Pipeline(ordered.SelectMany(pair => builder.Expand(pair.Stage, pair.Needs)).ToValueArray());
    }

    /// <summary>A type alone is a pipeline: its commit stage need not be written.</summary>
    private PipelineSyntax WithCommit(PipelineSyntax file)
    {
        if (file.RefusedStages.Contains(StageNames.Commit) || file.Refused.Contains(PipelineKeys.Stages)) return file;
        if (file.Stages.Any(stage => stage.Name.Value == StageNames.Commit)) return file;
        if (file.Type is not null) return file with { Stages = [new StageSyntax(new Written<string>(StageNames.Commit, file.Type.At)), .. file.Stages] };
        if (!file.Refused.Contains(PipelineKeys.Type))
        {
            _mistakes.Add(
                Position.Start,
                "There is no stage `commit`, which every pipeline begins with.",
                "Add for example `commit: make test`, or a `type` that stands for it such as `type: go`.");
        }

        return file;
    }

    private bool JudgeNumbers()
    {
        var total = 0L;
        var good = true;
        foreach (var stage in _file.Stages)
        {
            var count = MatrixCells.Count(stage.Matrix);
            total += count;
            if (count <= PipelineLimits.CellsPerMatrix) continue;
            good = false;
            _mistakes.Add(
                stage.Matrix[0].Name.At,
                $"The matrix of `{stage.Name.Value}` has {count} cells, more than {PipelineLimits.CellsPerMatrix}.",
                "Leave out values, or make two stages of it.");
        }

        if (good && total > PipelineLimits.Cells)
        {
            good = false;
            _mistakes.Add(
                _file.Stages[^1].Name.At,
                $"All stages together have {total} cells, more than {PipelineLimits.Cells}.",
                "Leave out stages or values of their matrices.");
        }

        if (_file.Stages.Count <= PipelineLimits.Stages) return good;
        _mistakes.Add(
            _file.Stages[^1].Name.At,
            $"There are {_file.Stages.Count} stages, more than {PipelineLimits.Stages}.",
            "Join some of them: steps of one stage share a workspace.");
        return false;
    }

    private IEnumerable<Stage> Expand(StageSyntax written, IReadOnlyList<string> needs)
    {
        JudgeMatrix(written);
        JudgeServices(written);
        var model = Plain(written, needs);
        var image = written.Image ?? _file.Image;
        return [.. MatrixCells.Of(written.Matrix).Select(cell => model with
        {
            Cell = MatrixCells.Name(cell),
            Image = image is null ? model.Image : Image(written, image, cell),
            Services = written.Services.Select(service => Service(written, service, cell)).ToValueArray(),
            Environment = Environment(written, cell),
        })];
    }

    /// <summary>The stage without what differs from cell to cell.</summary>
    private Stage Plain(StageSyntax written, IReadOnlyList<string> needs)
    {
        var isCommit = written.Name.Value == StageNames.Commit;
        var byType = isCommit && written.Steps is null ? _type : null;
        return new Stage
        {
            Name = written.Name.Value,
            Needs = needs.ToValueArray(),
            Image = DefaultImage(written),
            Steps = Steps(written),
            Worker = written.Worker ?? "",
            Artifacts = written.Artifacts.ToValueArray(),
            Reports = written.Reports?.ToValueArray() ?? byType?.Reports ?? [],
            Timeout = written.Timeout ?? _file.Timeout?.Value ?? (isCommit ? PipelineLimits.CommitTimeout : PipelineLimits.StageTimeout),
            IsVoting = written.Voting ?? true,
            HasNetwork = written.Network ?? byType?.NeedsNetwork ?? false,
            HasHistory = written.History ?? false,
            Unavailable = written.Name.Value == StageNames.Deployment ? DeploymentUnavailable : null,
        };
    }

    private string DefaultImage(StageSyntax written)
    {
        if (_type is not null || written.Image is not null || _file.Image is not null) return _type?.Image ?? "";
        if (!written.Refused.Contains(PipelineKeys.Image) && !_file.Refused.Contains(PipelineKeys.Image) && !_file.Refused.Contains(PipelineKeys.Type))
        {
            _mistakes.Add(
                written.Name.At,
                $"`{written.Name.Value}` has no image to run in.",
                "Write at the beginning of the file for example `image: docker.io/library/python:3.13`, or `image: host` for the programs of the worker itself.");
        }

        return "";
    }

    private ValueArray<Step> Steps(StageSyntax written)
    {
        if (written.Steps is null)
        {
            if (written.Refused.Contains(PipelineKeys.Steps)) return [];
            if (written.Name.Value == StageNames.Commit && (_type is not null || _file.Refused.Contains(PipelineKeys.Type))) return _type?.Steps ?? [];
            _mistakes.Add(written.Name.At, $"`{written.Name.Value}` has no steps.", "Add for example `steps: [make test]`.");
            return [];
        }

        var names = new StepNames(written.Steps.Select(step => step.Name?.Value).OfType<string>());
        var taken = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var name in written.Steps.Select(step => step.Name).OfType<Written<string>>())
        {
            if (taken.TryAdd(name.Value, name.At.Line)) continue;
            _mistakes.Add(
                name.At,
                $"Two steps are called {Wording.Quote(name.Value)}, here and in line {taken[name.Value]}.",
                "Give each a name of its own.");
        }

        return written.Steps.Select(step => new Step(step.Name?.Value ?? names.For(step.Run.Value), step.Run.Value)).ToValueArray();
    }

    private void JudgeMatrix(StageSyntax written)
    {
        foreach (var axis in written.Matrix)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (var value in axis.Values.Where(value => !seen.Add(value.Value)))
            {
                _mistakes.Add(value.At, $"The axis `{axis.Name.Value}` has {Wording.Quote(value.Value)} twice.", "Write each value once.");
            }

            if (!written.Environment.Any(variable => variable.Name.Value == axis.Name.Value)) continue;
            _mistakes.Add(
                axis.Name.At,
                $"`{axis.Name.Value}` is both an axis and a variable of `{written.Name.Value}`.",
                "Rename one of them: an axis is a variable already.");
        }
    }

    private void JudgeServices(StageSyntax written)
    {
        if (written.Name.Value != StageNames.Commit || written.Services.Count == 0) return;
        _mistakes.Add(
            written.Services[0].Name.At,
            "The commit stage has no services: it answers within minutes, and proves the code alone.",
            "Move the tests that need them into `acceptance`, or into a stage of their own under `stages:`.");
    }

    private StageService Service(StageSyntax stage, ServiceSyntax written, IReadOnlyList<Coordinate> cell)
    {
        var port = written.Ready?.All(char.IsAsciiDigit) == true ? NumberShape.Value(written.Ready) : null;
        var image = Image(stage, written.Image, cell);
        if (image == PipelineRules.Host)
            _mistakes.Add(written.Image.At, $"With {Wording.Quote(MatrixCells.Name(cell))} the image of {Wording.Quote(written.Name.Value)} would be `host`, which no service can be.", "Use names of images.");
        return new StageService
        {
            Name = written.Name.Value,
            Image = image,
            Environment = written.Environment.Select(variable => new Variable(variable.Name.Value, variable.Value)).ToValueArray(),
            ReadyPort = port,
            ReadyCommand = port is null ? written.Ready : null,
            User = written.User,
        };
    }

    private string Image(StageSyntax written, Written<string> image, IReadOnlyList<Coordinate> cell)
    {
        if (written.Refused.Contains(PipelineKeys.Matrix)) return image.Value;
        var filled = MatrixCells.Fill(image.Value, cell, out var unknown);
        if (unknown.Count == 0)
        {
            if (filled.Length <= PipelineLimits.ImageLength && PipelineRules.FilledImage(filled) is null) return filled;
            if (written.Matrix.Count == 0)
            {
                _mistakes.Add(image.At, $"The image cannot be called {Wording.Quote(filled)}.", "Remove the braces.");
                return filled;
            }

            _mistakes.Add(
                image.At,
                $"With {Wording.Quote(MatrixCells.Name(cell))} the image would be called {Wording.Quote(filled)}, which no image can be.",
                "Use values of letters, digits, dots and dashes in it.");
            return filled;
        }

        var axes = written.Matrix.Select(axis => axis.Name.Value).ToList();
        var name = unknown[0];
        var advice = axes.Count == 0
            ? $"Write the image out, or give the stage a matrix such as `matrix: {{{(name.Length > 0 && name.Length < 20 ? name : "php")}: [8.1, 8.3]}}`."
            : $"Write {Wording.Choice([.. axes.Select(axis => $"${{{Wording.Nearest(name, [axis]) ?? axis}}}")])}.";
        _mistakes.Add(
            image.At,
            name.Length == 0
                ? "The image has a `$` without a name in braces."
                : $"The image uses {Wording.Quote($"${{{name}}}")}, but the stage has no such axis.",
            advice);
        return image.Value;
    }

    /// <summary>The variables of the file, of the stage, and of the cell: the later win, in the place of the earlier.</summary>
    private ValueArray<Variable> Environment(StageSyntax written, IReadOnlyList<Coordinate> cell)
    {
        var result = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var variable in _file.Environment.Concat(written.Environment)) result[variable.Name.Value] = variable.Value;
        foreach (var (axis, value) in cell) result[axis] = value;
        return result.Select(pair => new Variable(pair.Key, pair.Value)).ToValueArray();
    }

    /// <summary>Names for the steps that have none: the first line of the command, told apart by a number where it repeats.</summary>
    private sealed class StepNames(IEnumerable<string> taken)
    {
        private const int RoomForNumber = 6;
        private readonly HashSet<string> _taken = new(taken, StringComparer.Ordinal);

        public string For(string script)
        {
            var line = Wording.Harmless(script.AsSpan().Trim().ToString().Split('\n')[0]).Trim();
            var most = PipelineLimits.StepNameLength - RoomForNumber;
            if (line.Length > most) line = line[..(char.IsHighSurrogate(line[most - 1]) ? most - 1 : most)].TrimEnd() + "…";
            var name = line;
            for (var number = 2; !_taken.Add(name); number++) name = $"{line} ({number})";
            return name;
        }
    }
}
