namespace WmfCi.Git;

/// <summary>Reads from git's error text (in English, <c>LC_ALL=C</c>) what was wrong: its exit status does not say.</summary>
internal static class FetchErrors
{
    // In this order: "unable to access" stands before every other trouble with HTTP.
    private static readonly (GitFetchErrorKind Kind, string[] Signs)[] Known =
    [
        (GitFetchErrorKind.Denied,
            ["Authentication failed", "could not read Username", "could not read Password", "returned error: 401", "returned error: 403", "Permission denied", "not permitted", "Host key verification failed"]),
        (GitFetchErrorKind.NotFound,
            ["couldn't find remote ref", "' not found", "returned error: 404", "does not appear to be a git repository", "does not exist", "no such remote ref"]),
        (GitFetchErrorKind.Unreachable,
            ["Could not resolve host", "Failed to connect", "Couldn't connect", "Connection refused", "Connection reset", "timed out", "Operation too slow", "returned error: 5", "returned error: 429",
            "unexpected disconnect", "early EOF", "hung up unexpectedly", "Empty reply", "No route to host", "Network is unreachable", "SSL_connect", "Could not resolve hostname"]),
    ];

    public static GitFetchErrorKind KindOf(string error) =>
        Known.FirstOrDefault(known => known.Signs.Any(sign => error.Contains(sign, StringComparison.OrdinalIgnoreCase))).Kind;
}
