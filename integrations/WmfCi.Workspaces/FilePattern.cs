using System.Text;
using System.Text.RegularExpressions;

namespace WmfCi.Workspaces;

/// <summary>
/// A pattern of paths as the configuration writes it: <c>*</c> and <c>?</c> within a name, <c>**</c> over folders; one that names a folder means everything in it.
/// </summary>
public sealed class FilePattern
{
    private const int MaxLength = 1024;
    private readonly Regex _whole;
    private readonly string[] _fixedParts;
    private readonly bool _isFixed;

    private FilePattern(string text, string[] parts)
    {
        Text = text;
        _fixedParts = [.. parts.TakeWhile(part => part.AsSpan().IndexOfAny('*', '?') < 0)];
        _isFixed = _fixedParts.Length == parts.Length;
        // No backtracking: however a pattern is written, the time to match is proportional to the path.
        _whole = new Regex(ToExpression(parts), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.Singleline);
    }

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a pattern.</summary>
    /// <returns>Null when it leads out of the workspace, is empty or too long.</returns>
    public static FilePattern? TryParse(string text)
    {
        if (text.Length is 0 or > MaxLength || text.StartsWith('/')) return null;
        var parts = text.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").ToArray();
        return parts.Length == 0 || parts.Contains("..") ? null : new FilePattern(text, parts);
    }

    /// <summary>Whether a file is meant.</summary>
    /// <param name="path">Relative to the workspace, with slashes.</param>
    public bool Matches(string path) => _whole.IsMatch(path);

    /// <summary>Whether anything in a folder can be meant, so that it is worth looking into.</summary>
    public bool MayMatchIn(string folder)
    {
        var parts = folder.Split('/');
        // A repository's own history is not something that a stage made; it is kept only where it is asked for by name.
        if (parts[0] == ".git" && (_fixedParts.Length == 0 || _fixedParts[0] != ".git")) return false;
        for (var i = 0; i < parts.Length && i < _fixedParts.Length; i++)
        {
            if (parts[i] != _fixedParts[i]) return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    private string ToExpression(string[] parts)
    {
        var expression = new StringBuilder("^");
        for (var i = 0; i < parts.Length; i++)
        {
            var isLast = i == parts.Length - 1;
            if (parts[i] == "**")
            {
                if (i > 0 && parts[i - 1] == "**") continue;
                var rest = parts.AsSpan(i).ContainsAnyExcept("**") ? "(?:[^/]+/)*" : ".+";
                expression.Append(rest);
                continue;
            }

            foreach (var c in parts[i]) expression.Append(c switch { '*' => "[^/]*", '?' => "[^/]", _ => Regex.Escape(c.ToString()) });
            if (!isLast) expression.Append('/');
        }

        if (_isFixed) expression.Append("(?:/.+)?");
        return expression.Append('$').ToString();
    }
}
