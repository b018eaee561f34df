namespace WmfCi.Fakes.Kubernetes;

/// <summary>What an image is here: this machine's programs, or nothing, and files in it.</summary>
public sealed record StandInImage
{
    /// <summary>Whether this machine's <c>/usr</c> is in it, read-only.</summary>
    public bool HasHostPrograms { get; init; } = true;

    /// <summary>Files and folders: the path in the image, and where it is on this machine.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>What runs where the container names no command.</summary>
    public IReadOnlyList<string> Command { get; init; } = ["/bin/sh"];

    /// <summary>Its environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string> { ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

    /// <summary>The folder that programs start in.</summary>
    public string Folder { get; init; } = "/";

    /// <summary>An image of one program and nothing else, started by its name.</summary>
    /// <param name="path">Where it is in the image.</param>
    /// <param name="source">Where it is on this machine; it needs no libraries.</param>
    public static StandInImage Of(string path, string source) =>
        new() { HasHostPrograms = false, Files = new Dictionary<string, string> { [path] = source }, Command = [path], Environment = new Dictionary<string, string>() };
}
