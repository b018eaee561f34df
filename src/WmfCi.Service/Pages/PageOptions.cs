using WmfCi.Core.Changes;

namespace WmfCi.Service.Pages;

/// <summary>What the pages must be told about the site.</summary>
public sealed record PageOptions
{
    /// <summary>What the service is called in titles.</summary>
    public string SiteName { get; init; } = "WmfCi";

    /// <summary>Where people reach these pages, without a slash at the end; empty where it is not known.</summary>
    public string Url { get; init; } = "";

    /// <summary>Where people reach the code review, without a slash at the end; empty for no links to it. Only <c>http</c> and <c>https</c> become links.</summary>
    public string CodeReviewUrl { get; init; } = "";

    /// <summary>How many stages may run and do run, on all replicas; asked for each time the overview is shown, so it must be quick. Null where it is not known.</summary>
    public Func<CancellationToken, ValueTask<Capacity?>> Capacity { get; init; } = _ => ValueTask.FromResult<Capacity?>(null);

    /// <summary>What must be well before the service counts as ready, beside the database.</summary>
    public IReadOnlyList<HealthCheck> HealthChecks { get; init; } = [];

    /// <summary>The page of a patch set in the code review; null where there is none.</summary>
    public string? ReviewUrl(ChangeId change, int? patchSet = null)
    {
        if (!Uri.TryCreate(CodeReviewUrl, UriKind.Absolute, out var url) || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps)) return null;
        var project = string.Join('/', change.Project.Split('/').Select(Uri.EscapeDataString));
        return $"{CodeReviewUrl.TrimEnd('/')}/c/{project}/+/{change.Number}{(patchSet is { } number ? $"/{number}" : "")}";
    }
}

/// <summary>How many stages run at once.</summary>
/// <param name="Used">Now.</param>
/// <param name="Total">At most.</param>
public sealed record Capacity(int Used, int Total);

/// <summary>One thing that must be well.</summary>
/// <param name="Name">What it is called in the answer.</param>
/// <param name="Problem">Says what is wrong, without secrets, or null. It may throw, and is given up after <see cref="HealthPages.MaxCheck"/>.</param>
public sealed record HealthCheck(string Name, Func<CancellationToken, Task<string?>> Problem);
