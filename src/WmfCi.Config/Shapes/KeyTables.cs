using System.Text;

namespace WmfCi.Config.Shapes;

/// <summary>Keys as the documentation lists them, in Markdown.</summary>
internal static class KeyTables
{
    /// <summary>A row for each key: its type, what it is for, and an example.</summary>
    public static string Keys(KeyedShape shape)
    {
        var text = new StringBuilder("| key | type | what it is for | example |\n| --- | --- | --- | --- |\n");
        foreach (var key in shape.Keys)
        {
            var example = string.Join("<br>", key.Example.Split('\n').Select(Code));
            text.Append("| `").Append(key.Name).Append("` | ").Append(Cell(key.Type)).Append(" | ")
                .Append(key.IsRequired ? "**Required.** " : "").Append(Cell(key.Meaning)).Append(" | ").Append(example).Append(" |\n");
        }

        return text.ToString();
    }

    /// <summary>A table of two columns or more.</summary>
    public static string Table(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows)
    {
        var text = new StringBuilder($"| {string.Join(" | ", heads)} |\n|{string.Concat(heads.Select(_ => " --- |"))}\n");
        foreach (var row in rows) text.Append("| ").AppendJoin(" | ", row.Select(Cell)).Append(" |\n");
        return text.ToString();
    }

    /// <summary>Code in a cell; a leading space would be lost, so indentation is written as one that stays.</summary>
    private static string Code(string line)
    {
        var code = line.TrimStart(' ');
        return $"{string.Concat(Enumerable.Repeat("&nbsp;", line.Length - code.Length))}`{Cell(code)}`";
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
