using System.CommandLine;
using WmfCi.Config;
using WmfCi.Config.Pipelines;

namespace WmfCi.Cli.Verbs;

/// <summary><c>wmfci validate</c> and <c>wmfci schema</c>: configuration files, before they are pushed.</summary>
internal static class ValidateVerb
{
    public static Command Make()
    {
        var files = new Argument<FileInfo[]>("FILE")
        {
            Description = "A .pipeline/config.yaml (the one of this folder when none is given).",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("validate", "Check pipeline files, and say what to write instead.") { files };
        command.SetAction(parsed =>
        {
            var given = parsed.GetValue(files) is { Length: > 0 } some ? some : [new FileInfo(PipelineFile.Path)];
            return given.Select(Validate).ToList().TrueForAll(valid => valid) ? 0 : 1;
        });
        return command;
    }

    public static Command MakeSchema()
    {
        var command = new Command("schema", "Print the JSON schema of .pipeline/config.yaml, for editors.");
        command.SetAction(_ => Console.WriteLine(PipelineSchema.Json));
        return command;
    }

    private static bool Validate(FileInfo file)
    {
        try
        {
            var report = ValidationReport.OfPipeline(Path.GetRelativePath(Environment.CurrentDirectory, file.FullName), File.ReadAllBytes(file.FullName));
            foreach (var line in report.Lines) Console.WriteLine(line);
            return report.IsValid;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"wmfci: {error.Message}");
            return false;
        }
    }
}
