using System.Globalization;
using WmfCi.Core.Changes;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Rest;

/// <summary>How projects and changes are written in Gerrit's URLs.</summary>
internal static class GerritPath
{
    private const int MaxProjectLength = 1000;

    /// <summary>
    /// Whether a name can be a project's. Names come from the wire and end up in URLs, where a part <c>..</c> would lead to
    /// another call; Gerrit itself refuses such names.
    /// </summary>
    public static bool IsProject(string name) =>
        name.Length is > 0 and <= MaxProjectLength
        && !name.Any(char.IsControl)
        && name.Split('/').All(part => part is not ("" or "." or ".."));

    /// <summary>A project as one part of a path: <c>operations%2Fpuppet</c>.</summary>
    /// <exception cref="CodeReviewException">No project has such a name.</exception>
    public static string OfProject(string project) => IsProject(project)
        ? Uri.EscapeDataString(project)
        : throw new CodeReviewException($"'{OneLine.Of(project)}' is not the name of a Gerrit project.", FailureClass.Permanent);

    /// <summary>A change as one part of a path: <c>operations%2Fpuppet~12</c>. Unlike the number alone it never means a change of another server's import.</summary>
    public static string Of(ChangeId id) => string.Create(CultureInfo.InvariantCulture, $"{OfProject(id.Project)}~{id.Number}");

    /// <summary>The page of a change.</summary>
    public static string Page(Uri gerrit, ChangeId id) =>
        string.Create(CultureInfo.InvariantCulture, $"{gerrit.AbsoluteUri.TrimEnd('/')}/c/{string.Join('/', id.Project.Split('/').Select(Uri.EscapeDataString))}/+/{id.Number}");
}

/// <summary>Text from a peer, made fit for one line of a message of ours.</summary>
internal static class OneLine
{
    private const int MaxLength = 300;

    /// <summary>The text without control characters, in one line, cut to a bound.</summary>
    public static string Of(string text)
    {
        var words = string.Join(' ', new string([.. text.Take(4 * MaxLength).Select(c => char.IsControl(c) ? ' ' : c)]).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        if (words.Length <= MaxLength) return words;
        return words[..(char.IsHighSurrogate(words[MaxLength - 1]) ? MaxLength - 1 : MaxLength)] + "…";
    }
}
