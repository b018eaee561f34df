using WmfCi.Ports;

namespace WmfCi.Workspaces;

/// <summary>Lays artifacts of earlier stages beside the workspace.</summary>
public static class InputFiles
{
    private const int Mode = 0b110_100_100;

    /// <summary>Lays one file as <c>STAGE/PATH</c>, and compares its bytes with its name.</summary>
    /// <exception cref="IOException">The store does not have it, gave other bytes, or the disk failed.</exception>
    public static async Task LayAsync(IArtifactStore store, string folder, InputFile input, CancellationToken cancellationToken)
    {
        string[] parts = [input.Stage, .. input.Path.Split('/')];
        if (input.Stage.Contains('/') || parts.Any(part => part is "" or "." or ".." || part.Contains('\0')))
            throw new IOException("an artifact of an earlier stage has a path that leads out of its folder");
        var path = folder;
        foreach (var part in parts[..^1]) NativeFiles.MakePassable(path = Path.Combine(path, part));
        path = Path.Combine(path, parts[^1]);
        await using var content = await store.OpenAsync(input.Digest, cancellationToken) ?? throw new IOException($"the store does not have the artifact {input.Path} of the stage {input.Stage}");
        using var hashed = new HashingStream(content);
        await using (var file = new FileStream(NativeFiles.CreateFile(path, Mode), FileAccess.Write, bufferSize: 0)) await hashed.CopyToAsync(file, cancellationToken);
        File.SetUnixFileMode(path, (UnixFileMode)Mode);
        if (hashed.Finish() != input.Digest) throw new IOException($"the store gave other bytes than {input.Digest} for the artifact {input.Path} of the stage {input.Stage}");
    }
}
