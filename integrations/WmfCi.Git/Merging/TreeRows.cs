namespace WmfCi.Git;

/// <summary>Three folders side by side, by name.</summary>
internal static class TreeRows
{
    /// <summary>One row for each name in any of the three, in no particular order. A file and a folder of one name are in one row, though git sorts them apart.</summary>
    public static List<Sides> Join(TreeEntry[] original, TreeEntry[] ours, TreeEntry[] theirs)
    {
        var rows = new List<Sides>(Math.Max(ours.Length, theirs.Length) + 4);
        var partial = new Dictionary<ReadOnlyMemory<byte>, int>(BytesComparer.Instance);
        int b = 0, o = 0, t = 0;
        while (b < original.Length || o < ours.Length || t < theirs.Length)
        {
            var least = Least(Least(At(original, b), At(ours, o)), At(theirs, t));
            var row = new Sides(Take(original, ref b, least), Take(ours, ref o, least), Take(theirs, ref t, least));
            if (row.Base.Exists && row.Ours.Exists && row.Theirs.Exists) rows.Add(row);
            else if (partial.TryGetValue(least.Name, out var known)) rows[known] = Combine(rows[known], row);
            else
            {
                partial[least.Name] = rows.Count;
                rows.Add(row);
            }
        }

        return rows;
    }

    private static TreeEntry At(TreeEntry[] entries, int index) => index < entries.Length ? entries[index] : default;

    private static TreeEntry Least(TreeEntry left, TreeEntry right) =>
        !left.Exists ? right : !right.Exists || TreeEntry.Compare(left, right) <= 0 ? left : right;

    private static TreeEntry Take(TreeEntry[] entries, ref int index, TreeEntry wanted)
    {
        if (index >= entries.Length || TreeEntry.Compare(entries[index], wanted) != 0) return default;
        return entries[index++];
    }

    private static Sides Combine(Sides file, Sides folder) => new(Either(file.Base, folder.Base), Either(file.Ours, folder.Ours), Either(file.Theirs, folder.Theirs));

    private static TreeEntry Either(TreeEntry left, TreeEntry right) => left.Exists ? left : right;
}
