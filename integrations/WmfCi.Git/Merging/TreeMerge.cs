namespace WmfCi.Git;

/// <summary>
/// Three trees made into one by JGit's rules, without looking for renames. It descends only where both sides changed a folder differently;
/// everything else is taken over by its id, so the time depends on the changes and not on the size of the repository.
/// </summary>
internal sealed class TreeMerge(BareRepository repository, TreeMergeMode mode, CancellationToken cancellationToken)
{
    private readonly List<GitPath> conflicts = [];

    /// <summary>The paths in conflict so far.</summary>
    public IReadOnlyList<GitPath> Conflicts => conflicts;

    /// <summary>Merges; the tree is staged, not stored, and means something only when <see cref="Conflicts"/> is empty.</summary>
    public ObjectName Merge(ObjectName baseTree, ObjectName ours, ObjectName theirs)
    {
        var root = Folder(new Sides(Root(baseTree), Root(ours), Root(theirs)), []);
        return root.Exists ? root.Id : repository.Stage(ObjectKind.Tree, []);
    }

    private static TreeEntry Root(ObjectName tree) => tree == ObjectName.None ? default : new TreeEntry(TreeEntry.TreeMode, default, tree);

    private TreeEntry Folder(Sides sides, byte[] path)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (path.AsSpan().Count((byte)'/') > SourceFiles.MaxDepth) throw new GitObjectException($"Folders are nested more than {SourceFiles.MaxDepth} deep");
        var entries = new List<TreeEntry>();
        var (original, theirs) = (Children(sides.Base), Children(sides.Theirs));
        foreach (var row in TreeRows.Join(original, Children(sides.Ours), theirs))
        {
            var merged = row.Ours.SameAs(row.Theirs) ? row.Ours : IsUnpaired(row, original, theirs) ? Unpaired(row, path) : Entry(row, path);
            if (merged.Exists) entries.Add(merged with { Mode = merged.CanonicalMode });
        }

        if (entries.Count == 0) return default;
        entries.Sort(TreeEntry.Compare);
        return new TreeEntry(TreeEntry.TreeMode, sides.Name, repository.Stage(ObjectKind.Tree, TreeEntry.Format(entries)));
    }

    private TreeEntry[] Children(TreeEntry entry) => entry.IsTree ? repository.Tree(entry.Id) : [];

    // The two sides differ here.
    private TreeEntry Entry(Sides row, byte[] folder)
    {
        if (mode != TreeMergeMode.WholeFiles && row.Ours.Id == row.Theirs.Id) return SameContent(row, folder);
        if (row.Base.SameAs(row.Theirs)) return row.Ours;
        if (row.Base.SameAs(row.Ours)) return row.Theirs;
        if (mode == TreeMergeMode.WholeFiles)
        {
            if (row.Base.IsLeaf || row.Ours.IsLeaf || row.Theirs.IsLeaf) return Conflict(row, folder);
            return Folder(row, [.. folder, .. row.Name.Span, (byte)'/']);
        }

        if (row.HasTree)
        {
            // A file here and a folder there; a virtual base simply has neither.
            if (row.Ours.IsLeaf != row.Theirs.IsLeaf) return mode == TreeMergeMode.VirtualBase ? default : Conflict(row, folder);
            if (!row.Ours.IsLeaf) return Folder(row, [.. folder, .. row.Name.Span, (byte)'/']);
        }

        return row.Ours.Exists && row.Theirs.Exists ? BothChanged(row, folder) : OneDeleted(row, folder);
    }

    // In a virtual base JGit does not see that our file stands where the base has a folder, if it comes to the base's folder at once but not to theirs:
    // because there is none, or because something sorts between the names (as d-x does between d and d/). Then it merges the folders without ours.
    private bool IsUnpaired(Sides row, TreeEntry[] original, TreeEntry[] theirs) =>
        mode == TreeMergeMode.VirtualBase && row.Base.IsTree && row.Ours.IsLeaf && !HasBetween(original, row.Name) && (!row.Theirs.Exists || (row.Theirs.IsTree && HasBetween(theirs, row.Name)));

    private static bool HasBetween(TreeEntry[] entries, ReadOnlyMemory<byte> name) =>
        Array.Exists(entries, entry => entry.Name.Length > name.Length && entry.Name.Span.StartsWith(name.Span) && entry.Name.Span[name.Length] < '/');

    private TreeEntry Unpaired(Sides row, byte[] folder) =>
        row.Theirs.Exists ? Folder(row with { Ours = default }, [.. folder, .. row.Name.Span, (byte)'/']) : row.Ours;

    private TreeEntry SameContent(Sides row, byte[] folder)
    {
        if (MergedMode(row) is var merged and not 0) return row.Ours with { Mode = merged };
        return mode == TreeMergeMode.VirtualBase ? default : Conflict(row, folder);
    }

    private TreeEntry BothChanged(Sides row, byte[] folder)
    {
        if (row.HasGitlink) return mode == TreeMergeMode.VirtualBase ? row.Ours : Conflict(row, folder);
        if (row.Ours.IsSymlink || row.Theirs.IsSymlink)
            return mode != TreeMergeMode.VirtualBase ? Conflict(row, folder) : row.Theirs.IsFile ? row.Theirs : row.Ours;
        return MergeText(row) ?? Conflict(row, folder);
    }

    private TreeEntry OneDeleted(Sides row, byte[] folder)
    {
        var kept = row.Ours.Exists ? row.Ours : row.Theirs;
        if (kept.Id == row.Base.Id) return default; // only its mode changed: the deletion wins
        if (mode != TreeMergeMode.VirtualBase) return Conflict(row, folder);
        if (row.HasGitlink) return row.Ours;
        if (kept.IsSymlink) return kept;
        return MergeText(row) ?? new TreeEntry(Mode(row), row.Name, repository.Stage(ObjectKind.Blob, []));
    }

    // Null: it cannot be merged. In a virtual base a conflict is no obstacle: its text is kept, with the markers.
    private TreeEntry? MergeText(Sides row)
    {
        if (row.Base.IsTree) return null; // a folder that became another file on either side: JGit fails on it
        var (original, ours, theirs) = (Text(row.Base), Text(row.Ours), Text(row.Theirs));
        if (original is null || ours is null || theirs is null) return null;
        var (text, conflict) = ContentMerge.Merge(original, ours, theirs, cancellationToken);
        return conflict && mode != TreeMergeMode.VirtualBase ? null : new TreeEntry(Mode(row), row.Name, repository.Stage(ObjectKind.Blob, text));
    }

    private byte[]? Text(TreeEntry entry)
    {
        if (!entry.Exists) return [];
        if (repository.TryHeader(entry.Id, out _, out var size) && size > ContentMerge.MaxTextBytes) return null;
        var data = repository.Read(entry.Id, ObjectKind.Blob);
        return ContentMerge.IsBinary(data) ? null : data;
    }

    private static int Mode(Sides row) => MergedMode(row) is var merged and not 0 ? merged : TreeEntry.FileMode;

    // 0: each side has another mode than the base, and not the same.
    private static int MergedMode(Sides row)
    {
        var (was, ours, theirs) = (row.Base.Mode, row.Ours.Mode, row.Theirs.Mode);
        if (ours == theirs) return ours;
        if (was == ours) return theirs == 0 ? ours : theirs;
        if (was == theirs) return ours == 0 ? theirs : ours;
        return 0;
    }

    private TreeEntry Conflict(Sides row, byte[] folder)
    {
        conflicts.Add(GitPath.Join(folder, row.Name.Span));
        return default;
    }
}

/// <summary>How <see cref="TreeMerge"/> treats what both sides changed.</summary>
internal enum TreeMergeMode
{
    /// <summary>Texts are merged by lines.</summary>
    Content,

    /// <summary>Every path that both sides changed differently is a conflict (Gerrit's <c>use_content_merge: FALSE</c>).</summary>
    WholeFiles,

    /// <summary>The base of a criss-cross merge: conflicts stay in the texts, and only binary files stop it.</summary>
    VirtualBase,
}

/// <summary>What base, ours and theirs have at one path.</summary>
internal readonly record struct Sides(TreeEntry Base, TreeEntry Ours, TreeEntry Theirs)
{
    public ReadOnlyMemory<byte> Name => Ours.Exists ? Ours.Name : Theirs.Exists ? Theirs.Name : Base.Name;

    public bool HasTree => Base.IsTree || Ours.IsTree || Theirs.IsTree;

    public bool HasGitlink => Base.IsGitlink || Ours.IsGitlink || Theirs.IsGitlink;
}
