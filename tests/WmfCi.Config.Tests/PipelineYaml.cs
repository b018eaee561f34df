using System.Text;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Tests;

/// <summary>A stage before its matrix is expanded.</summary>
internal sealed record StageSpec(Stage Plain, ValueArray<AxisSpec> Axes, ValueArray<Variable> Own);

internal sealed record AxisSpec(string Name, ValueArray<string> Values);

/// <summary>A pipeline as a test means it: written as YAML one way, and expanded to the model another way than the reader does it.</summary>
internal sealed record PipelineSpec(ValueArray<Variable> Environment, ValueArray<StageSpec> Stages)
{
    public Pipeline Model() => new(Stages.SelectMany(Cells).ToValueArray());

    public string Yaml()
    {
        var text = new StringBuilder();
        Variables(text, "", Environment);
        text.Append("stages:\n");
        foreach (var spec in Stages) Write(text, spec);
        return text.ToString();
    }

    public override string ToString() => Yaml();

    private IEnumerable<Stage> Cells(StageSpec spec)
    {
        var count = spec.Axes.Aggregate(1, (product, axis) => product * axis.Values.Count);
        for (var number = 0; number < count; number++)
        {
            var chosen = new List<Variable>();
            var rest = number;
            foreach (var axis in spec.Axes.Reverse())
            {
                chosen.Insert(0, new Variable(axis.Name, axis.Values[rest % axis.Values.Count]));
                rest /= axis.Values.Count;
            }

            string Filled(string image) => chosen.Aggregate(image, (sofar, variable) => sofar.Replace("${" + variable.Name + "}", variable.Value));
            yield return spec.Plain with
            {
                Cell = string.Join(", ", chosen.Select(variable => $"{variable.Name}={variable.Value}")),
                Image = Filled(spec.Plain.Image),
                Services = spec.Plain.Services.Map(service => service with { Image = Filled(service.Image) }),
                Environment = [.. Environment.Where(all => spec.Own.All(own => own.Name != all.Name)), .. spec.Own, .. chosen],
            };
        }
    }

    private static void Write(StringBuilder text, StageSpec spec)
    {
        var stage = spec.Plain;
        text.Append($"  {stage.Name}:\n    image: {Quote(stage.Image)}\n    steps:\n");
        foreach (var step in stage.Steps) text.Append($"      - run: {Quote(step.Script)}\n        name: {Quote(step.Name)}\n");
        text.Append($"    needs: [{List(stage.Needs)}]\n    artifacts: [{List(stage.Artifacts)}]\n    reports: [{List(stage.Reports)}]\n");
        text.Append($"    timeout: {(long)stage.Timeout.TotalSeconds}s\n    voting: {Word(stage.IsVoting)}\n    network: {Word(stage.HasNetwork)}\n    history: {Word(stage.HasHistory)}\n");
        if (stage.Worker.Length > 0) text.Append($"    worker: {Quote(stage.Worker)}\n");
        if (!stage.Services.IsEmpty) text.Append("    services:\n");
        foreach (var service in stage.Services) Write(text, service);
        Variables(text, "    ", spec.Own);
        if (!spec.Axes.IsEmpty) text.Append("    matrix:\n");
        foreach (var axis in spec.Axes) text.Append($"      {axis.Name}: [{List(axis.Values)}]\n");
    }

    private static void Write(StringBuilder text, StageService service)
    {
        if (service == new StageService { Name = service.Name, Image = service.Image })
        {
            text.Append($"      {service.Name}: {Quote(service.Image)}\n");
            return;
        }

        text.Append($"      {service.Name}:\n        image: {Quote(service.Image)}\n");
        if (service.ReadyPort is { } port) text.Append($"        ready: {port}\n");
        if (service.ReadyCommand is { } command) text.Append($"        ready: {Quote(command)}\n");
        if (service.User is { } user) text.Append($"        user: {user}\n");
        Variables(text, "        ", service.Environment);
    }

    private static void Variables(StringBuilder text, string indent, ValueArray<Variable> variables)
    {
        if (!variables.IsEmpty) text.Append($"{indent}environment:\n");
        foreach (var (name, value) in variables) text.Append($"{indent}  {name}: {Quote(value)}\n");
    }

    private static string List(IEnumerable<string> items) => string.Join(", ", items.Select(Quote));

    private static string Word(bool truth) => truth ? "true" : "false";

    /// <summary>A double-quoted scalar; everything that is not plainly visible is escaped.</summary>
    private static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\') text.Append('\\').Append(c);
            else if (c is >= ' ' and < '\u007f' or > '\u00ff' and < '\u2000' || char.IsSurrogate(c)) text.Append(c);
            else text.Append($"\\u{(int)c:x4}");
        }

        return text.Append('"').ToString();
    }
}
