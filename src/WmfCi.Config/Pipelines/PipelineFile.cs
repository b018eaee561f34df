using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>What came of reading a pipeline: it, or every mistake at once.</summary>
public abstract record PipelineReading
{
    private PipelineReading()
    {
    }

    /// <summary>The file is good.</summary>
    /// <param name="Pipeline">What it says, with every default filled in and every matrix expanded.</param>
    public sealed record Valid(Pipeline Pipeline) : PipelineReading;

    /// <summary>The file has mistakes, and nothing of it is used.</summary>
    /// <param name="Mistakes">At least one and at most <see cref="YamlLimits.Mistakes"/>, in the order of the file's lines.</param>
    public sealed record Invalid(ValueArray<ConfigMistake> Mistakes) : PipelineReading;
}

/// <summary>Reads <c>.pipeline/config.yaml</c>. Any bytes are answered within the bounds of <see cref="YamlLimits"/> and <see cref="PipelineLimits"/>; nothing
/// is thrown.</summary>
public static class PipelineFile
{
    /// <summary>Where the file lies in a repository.</summary>
    public const string Path = ".pipeline/config.yaml";

    private const string PipelineLibKey = "pipelines";

    /// <summary>Reads the bytes of a file, which must be UTF-8.</summary>
    /// <param name="file">What mistakes call it.</param>
    /// <param name="content">Its bytes.</param>
    public static PipelineReading Read(string file, ReadOnlySpan<byte> content)
    {
        var mistakes = new Mistakes(file);
        return Read(SourceText.Of(content, mistakes), mistakes);
    }

    /// <summary>Reads the text of a file.</summary>
    /// <param name="file">What mistakes call it.</param>
    /// <param name="text">Its text.</param>
    public static PipelineReading Read(string file, string text)
    {
        var mistakes = new Mistakes(file);
        return Read(SourceText.Of(text, mistakes), mistakes);
    }

    private static PipelineReading Read(SourceText? source, Mistakes mistakes)
    {
        var root = source is null ? null : YamlTree.Read(source, mistakes);
        if ((root as YamlMap)?.Entry(PipelineLibKey) is { } foreign) return PipelineLib(foreign, mistakes);
        var pipeline = root is not null && PipelineKeys.File.Check(root, new Subject("The file", "`commit: make test`"), mistakes) is YamlMap file
            ? PipelineBuilder.Build(PipelineSyntaxReader.Read(file, mistakes), mistakes)
            : null;
        return pipeline is not null && !mistakes.Any ? new PipelineReading.Valid(pipeline) : new PipelineReading.Invalid(mistakes.Sorted());
    }

    /// <summary>One answer about the whole: the mistakes that it has as a file of ours would only confuse its author.</summary>
    private static PipelineReading.Invalid PipelineLib(YamlEntry entry, Mistakes mistakes) => new([mistakes.Single(
        entry.Key.At,
        "This is a file of Wikimedia's PipelineLib, which is not read yet.",
        "Write the stages themselves, for example `image: docker.io/library/node:22` and, on the next line, `commit: [npm ci, npm test]`; docs/pipeline.md has every key.")]);
}
