using System.Text.RegularExpressions;
using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Sites;

/// <summary>What is wrong with a text of a site configuration, one rule for each kind of text.</summary>
internal static partial class SiteRules
{
    private static readonly string[] _http = [Uri.UriSchemeHttp, Uri.UriSchemeHttps];

    public static Fault? Url(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || !_http.Contains(url.Scheme) || url.Host.Length == 0)
            return new("must be an address of the web", "Write for example `https://ci.example.org`.");
        if (url.UserInfo.Length > 0) return new("has a name or password in it", "Remove what stands before the `@`; passwords belong in files of their own.");
        return url.Query.Length + url.Fragment.Length > 0 ? new("has a `?` or `#` in it", "Remove it and what follows.") : null;
    }

    public static Fault? Listen(string text)
    {
        if (Url(text) is { } fault)
            return fault with { Advice = "Write for example `http://127.0.0.1:8080`, or `http://0.0.0.0:8080` to be reached from other machines." };
        var url = new Uri(text);
        if (url.Scheme != Uri.UriSchemeHttp) return new("must begin with `http://`", "Let a proxy in front of the service speak TLS.");
        return url.AbsolutePath != "/" ? new("must end after the port", $"Write `{url.GetLeftPart(UriPartial.Authority)}`.") : null;
    }

    public static Fault? Path(string text) => string.IsNullOrWhiteSpace(text) || text.Any(char.IsControl) ? new("must be a path") : null;

    public static Fault? Word(string text) => WordExpression().IsMatch(text) ? null : new($"cannot be {Wording.Quote(text)}");

    public static Fault? Line(string text) => string.IsNullOrWhiteSpace(text) || text.Any(char.IsControl) ? new("must be one line of text") : null;

    public static Fault? Host(string text) =>
        HostExpression().IsMatch(text) ? null : new($"must be the name or address of a machine, not {Wording.Quote(text)}");

    public static Fault? ProjectPattern(string text) => string.IsNullOrWhiteSpace(text) || text == "-" || text.Any(char.IsControl)
        ? new("must be the name of a project or a pattern", "Write for example `\"*\"`, `mediawiki/*` or `-test/*`.")
        : null;

    public static Fault? Database(string text)
    {
        if (Line(text) is { } fault) return fault;
        if (PasswordExpression().IsMatch(text) || text.Contains("://", StringComparison.Ordinal) && text.Contains('@', StringComparison.Ordinal))
            return new(
                "has a password in it",
                "Move the whole connection string into a file that only the service can read, and write `database-file:` with its path.");
        return text.Contains('=', StringComparison.Ordinal) ? null : new("must be a connection string");
    }

    /// <summary>Secrets are answered with the way that they should go.</summary>
    public static string? AdviseOnSecret(YamlEntry entry)
    {
        var key = entry.Key.Value.ToLowerInvariant();
        if (key is "password" or "pass-word" or "passwd" or "secret" or "token" or "http-password")
            return "Put the password into a file that only the service can read, and write `password-file:` with its path.";
        return key is "key" or "private-key" or "ssh-key"
            ? "Put the key into a file that only the service can read, and write `key-file:` with its path."
            : null;
    }

    /// <summary>Whether a line may hold a secret, so that it is not repeated in a report.</summary>
    public static bool IsSecret(string line) => SecretExpression().IsMatch(line);

    private const RegexOptions Linear = RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture;

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*\z", Linear)]
    private static partial Regex WordExpression();

    [GeneratedRegex(@"^[A-Za-z0-9\[][A-Za-z0-9.:\]_-]*\z", Linear)]
    private static partial Regex HostExpression();

    [GeneratedRegex(@"(^|;)\s*(password|pwd|psw)\s*=", Linear | RegexOptions.IgnoreCase)]
    private static partial Regex PasswordExpression();

    [GeneratedRegex(@"(password|passwd|pwd|psw|secret|token|key)\s*[""']?\s*[:=]|://[^/]*@", Linear | RegexOptions.IgnoreCase)]
    private static partial Regex SecretExpression();
}
