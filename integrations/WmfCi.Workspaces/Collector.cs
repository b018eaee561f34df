using System.IO.Enumeration;
using System.Text;
using Microsoft.Win32.SafeHandles;
using WmfCi.Ports;

namespace WmfCi.Workspaces;

/// <summary>
/// Puts the declared files of a workspace into the store. It runs when every process of the stage is gone, so nothing changes under it, and trusts nothing
/// that they left: folders are entered only when they are folders themselves, files are opened without following links and asked again when open.
/// </summary>
public sealed class Collector(string workspace, CollectionBounds bounds, IArtifactStore store)
{
    private const int ParallelPuts = 4;
    private readonly List<string> _notes = [];
    private int _leftOut;
    private int _visited;
    private long _total;

    /// <summary>What the log should say about it, a bounded number of lines.</summary>
    public IEnumerable<string> Notes => _leftOut > bounds.MaxNotes ? _notes.Append($"{_leftOut - bounds.MaxNotes} more files were left out.") : _notes;

    /// <summary>Finds, checks and stores the artifacts and reports of a stage.</summary>
    /// <param name="artifactPatterns">Patterns of the files to keep.</param>
    /// <param name="reportPatterns">Patterns of test reports.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The store is full or out of reach.</exception>
    public async Task<IReadOnlyList<CollectedFile>> CollectAsync(IEnumerable<string> artifactPatterns, IEnumerable<string> reportPatterns, CancellationToken cancellationToken)
    {
        var artifacts = Parse(artifactPatterns);
        var reports = Parse(reportPatterns);
        if (artifacts.Count + reports.Count == 0) return [];
        var found = new List<(string Path, bool IsReport)>();
        foreach (var path in Walk([.. artifacts, .. reports]))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var isReport = reports.Exists(pattern => pattern.Matches(path));
            if (!isReport && !artifacts.Exists(pattern => pattern.Matches(path))) continue;
            if (found.Count < bounds.MaxFiles) found.Add((path, isReport));
            else LeaveOut(path, $"more than {bounds.MaxFiles} files are not kept");
        }

        found.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        NoteUnmatched(artifacts, found, "artifacts");
        NoteUnmatched(reports, found, "reports");
        return await StoreAsync(found, cancellationToken);
    }

    private List<FilePattern> Parse(IEnumerable<string> texts)
    {
        var patterns = new List<FilePattern>();
        foreach (var text in texts)
        {
            if (FilePattern.TryParse(text) is { } pattern) patterns.Add(pattern);
            else _notes.Add($"The pattern “{Shown(text)}” is passed over: write a path relative to the workspace, without “..”.");
        }

        return patterns;
    }

    private void NoteUnmatched(List<FilePattern> patterns, List<(string Path, bool IsReport)> found, string kind)
    {
        foreach (var pattern in patterns.Where(pattern => !found.Exists(file => pattern.Matches(file.Path))))
            _notes.Add($"No file matches “{Shown(pattern.Text)}” of {kind}.");
    }

    /// <summary>The paths of everything but folders that a pattern may mean, links never followed.</summary>
    private IEnumerable<string> Walk(IReadOnlyList<FilePattern> patterns)
    {
        var folders = new Stack<(string Path, int Depth)>();
        folders.Push(("", 0));
        while (folders.TryPop(out var folder))
        {
            foreach (var (name, isFolder) in Entries(folder.Path))
            {
                if (++_visited > bounds.MaxVisited)
                {
                    LeaveOut(folder.Path, $"only the first {bounds.MaxVisited} files of a workspace are looked at");
                    yield break;
                }

                var path = folder.Path.Length == 0 ? name : $"{folder.Path}/{name}";
                if (!isFolder)
                {
                    yield return path;
                    continue;
                }

                if (!patterns.Any(pattern => pattern.MayMatchIn(path))) continue;
                if (folder.Depth + 1 > bounds.MaxDepth) LeaveOut(path, $"it lies more than {bounds.MaxDepth} folders deep");
                else folders.Push((path, folder.Depth + 1));
            }
        }
    }

    private List<(string Name, bool IsFolder)> Entries(string folder)
    {
        try
        {
            var options = new EnumerationOptions { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false, RecurseSubdirectories = false };
            // The enumerator calls a link to a folder a folder; its attributes tell the two apart.
            return [.. new FileSystemEnumerable<(string, bool)>(Path.Combine(workspace, folder), (ref FileSystemEntry entry) =>
                (entry.FileName.ToString(), entry.IsDirectory && !entry.Attributes.HasFlag(FileAttributes.ReparsePoint)), options)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            LeaveOut(folder, "the folder cannot be read");
            return [];
        }
    }

    private async Task<IReadOnlyList<CollectedFile>> StoreAsync(List<(string Path, bool IsReport)> found, CancellationToken cancellationToken)
    {
        var kept = new CollectedFile?[found.Count];
        await Parallel.ForAsync(0, found.Count, new ParallelOptions { MaxDegreeOfParallelism = ParallelPuts, CancellationToken = cancellationToken }, async (i, token) =>
        {
            using var file = Open(found[i].Path);
            if (file is null) return;
            await using var content = new FileStream(file, FileAccess.Read, bufferSize: 0);
            kept[i] = new CollectedFile(found[i].Path, await store.PutAsync(content, bounds.MaxFileBytes, token), found[i].IsReport);
        });
        return [.. kept.OfType<CollectedFile>()];
    }

    /// <summary>Opens a file when it may be kept; otherwise says why not.</summary>
    private SafeFileHandle? Open(string path)
    {
        if (path.Any(char.IsControl)) return LeaveOut(path, "its name has control characters");
        if (path.Contains('\uFFFD')) return LeaveOut(path, "its name is no valid UTF-8");
        if (Encoding.UTF8.GetByteCount(path) > bounds.MaxPathBytes) return LeaveOut(path, $"its path is longer than {bounds.MaxPathBytes} bytes");
        SafeFileHandle file;
        try
        {
            file = NativeFiles.OpenForReading(Path.Combine(workspace, path));
        }
        catch (IOException)
        {
            return LeaveOut(path, "it is a link, or cannot be read; only plain files are kept");
        }

        var facts = NativeFiles.FactsOf(file);
        var reason = !facts.IsPlainFile ? "it is no plain file"
            : facts.Links != 1 ? "it is a hard link; copy the file instead"
            : facts.Size > bounds.MaxFileBytes ? $"it is larger than {bounds.MaxFileBytes} bytes"
            : !Fits(facts.Size) ? $"all files together are larger than {bounds.MaxTotalBytes} bytes"
            : null;
        if (reason is null) return file;
        file.Dispose();
        return LeaveOut(path, reason);
    }

    // What is left out takes no room, so that one large file does not keep small ones out.
    private bool Fits(long size)
    {
        lock (_notes)
        {
            if (_total + size > bounds.MaxTotalBytes) return false;
            _total += size;
            return true;
        }
    }

    private SafeFileHandle? LeaveOut(string path, string reason)
    {
        lock (_notes)
        {
            if (++_leftOut <= bounds.MaxNotes) _notes.Add($"Not kept: “{Shown(path)}”, {reason}.");
        }

        return null;
    }

    private static string Shown(string text)
    {
        const int maxShown = 200;
        var clean = string.Concat(text.Take(maxShown).Select(c => char.IsControl(c) ? '?' : c));
        return text.Length > maxShown ? clean + "…" : clean;
    }
}
