using System.Text;

namespace WmfCi.Config.Pipelines;

/// <summary>One value of one axis.</summary>
internal readonly record struct Coordinate(string Axis, string Value)
{
    public override string ToString() => $"{Axis}={Value}";
}

/// <summary>The combinations of a matrix.</summary>
internal static class MatrixCells
{
    /// <summary>How many there are: never so many that the number does not fit, because axes and values are bounded.</summary>
    public static long Count(IReadOnlyList<AxisSyntax> matrix) => matrix.Aggregate(1L, (product, axis) => product * axis.Values.Count);

    /// <summary>All of them, in the order of nested loops: the first axis is the outermost. Without a matrix one that is empty.</summary>
    public static IEnumerable<IReadOnlyList<Coordinate>> Of(IReadOnlyList<AxisSyntax> matrix)
    {
        IEnumerable<IReadOnlyList<Coordinate>> cells = [[]];
        foreach (var axis in matrix)
        {
            cells = cells.SelectMany(cell => axis.Values.Select(value => (IReadOnlyList<Coordinate>)[.. cell, new Coordinate(axis.Name.Value, value.Value)]));
        }

        return cells;
    }

    /// <summary>What the cell is called, such as <c>php=8.1, db=mariadb</c>.</summary>
    public static string Name(IReadOnlyList<Coordinate> cell) => string.Join(", ", cell);

    /// <summary>Puts the values of a cell in the place of <c>${axis}</c>.</summary>
    /// <param name="text">The text with the places.</param>
    /// <param name="cell">The values.</param>
    /// <param name="unknown">Names between the braces that are no axis; a dollar without braces counts as the empty name.</param>
    public static string Fill(string text, IReadOnlyList<Coordinate> cell, out IReadOnlyList<string> unknown)
    {
        var missing = new List<string>();
        var result = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var end = text[i] == '$' && i + 1 < text.Length && text[i + 1] == '{' ? text.IndexOf('}', i) : -1;
            if (end < 0)
            {
                if (text[i] is '$') missing.Add("");
                result.Append(text[i]);
                continue;
            }

            var name = text[(i + 2)..end];
            var found = cell.Where(coordinate => coordinate.Axis == name).ToList();
            if (found.Count == 0) missing.Add(name);
            else result.Append(found[0].Value);
            i = end;
        }

        unknown = missing;
        return result.ToString();
    }
}
