using System.Collections.Immutable;
using ZstdSharp;

namespace WmfCi.Git;

/// <summary>A commit's files as one tar, compressed with zstd: the same bytes for the same tree and options.</summary>
public static class SourceSnapshot
{
    private const int BufferBytes = 1024 * 1024;
    private static readonly byte[] GitFolder = ".git"u8.ToArray();

    /// <summary>Writes a snapshot.</summary>
    /// <param name="repository">Where the commit is.</param>
    /// <param name="commit">Its id.</param>
    /// <param name="output">Gets the compressed tar; stays open. Written as it is made, so on an exception it holds a part: throw that away.</param>
    /// <param name="options">Limits, and whether the history goes along.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="SnapshotTooLargeException">Over a limit. Known before anything is written.</exception>
    /// <exception cref="GitObjectException">Something is missing or damaged, or a name in the tree cannot be a file name.</exception>
    public static async Task<SnapshotSummary> Write(BareRepository repository, string commit, Stream output, SnapshotOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(options);
        var data = repository.Commit(ObjectName.Parse(commit));
        var files = SourceFiles.Walk(repository, data.Tree, options.MaxPathBytes, options.MaxFiles);
        var summary = Summarise(repository, data, files, options);
        await using var compressed = new CompressionStream(output, options.CompressionLevel, BufferBytes, leaveOpen: true);
        await using var buffered = new BufferedStream(compressed, BufferBytes);
        var tar = new TarStream(buffered);
        if (options.IncludeHistory) await PackedHistory.Write(repository, data, (tar, GitFolder), cancellationToken);
        foreach (var (path, entry) in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (entry.IsTree || entry.IsGitlink) await tar.Folder(path, cancellationToken);
            else if (entry.IsSymlink) await tar.Link(path, repository.Read(entry.Id, ObjectKind.Blob), cancellationToken);
            else await tar.File(path, entry.CanonicalMode == TreeEntry.ExecutableMode, repository.Read(entry.Id, ObjectKind.Blob), cancellationToken);
        }

        await tar.End(cancellationToken);
        return summary;
    }

    private static SnapshotSummary Summarise(BareRepository repository, CommitData commit, List<(byte[] Path, TreeEntry Entry)> files, SnapshotOptions options)
    {
        var (count, bytes) = (0, 0L);
        foreach (var (path, entry) in files)
        {
            if (entry.IsTree || entry.IsGitlink) continue;
            if (!repository.TryHeader(entry.Id, out var kind, out var size) || kind != ObjectKind.Blob)
                throw new GitObjectException($"The content of {new GitPath(path).Quoted} is not in the repository: fetch it first");
            (count, bytes) = (count + 1, bytes + size);
            if (size > BareRepository.MaxObjectBytes) throw new SnapshotTooLargeException($"{new GitPath(path).Quoted} has {size} bytes; a file may have {BareRepository.MaxObjectBytes}");
            if (bytes > options.MaxBytes) throw new SnapshotTooLargeException($"The source has more than the {options.MaxBytes} bytes that are allowed");
        }

        var urls = GitModules.Urls(repository, commit.Tree);
        var submodules = files.Where(file => file.Entry.IsGitlink)
            .Select(file => new Submodule(new GitPath(file.Path), file.Entry.Id.ToString(), urls.GetValueOrDefault(new GitPath(file.Path).Text))).ToImmutableArray();
        return new SnapshotSummary(commit.Tree.ToString(), count, bytes, submodules);
    }
}
