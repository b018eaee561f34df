using System.Globalization;
using System.Net;
using System.Security.Authentication;
using System.Text;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>What a failed request to a cluster means.</summary>
public enum FaultKind
{
    /// <summary>The object is not there.</summary>
    NotFound,

    /// <summary>An object of that name is there already.</summary>
    AlreadyExists,

    /// <summary>The object changed since it was read: read it again.</summary>
    Conflict,

    /// <summary>The version or the page that was asked for is forgotten: list again.</summary>
    Expired,

    /// <summary>The object is refused as it is; the message says which field.</summary>
    Invalid,

    /// <summary>The account may not do it, or an admission rule is against it.</summary>
    Forbidden,

    /// <summary>The namespace's quota is used up: wait until something ends.</summary>
    QuotaExceeded,

    /// <summary>The namespace is being deleted.</summary>
    Terminating,

    /// <summary>The server asks to wait.</summary>
    TooManyRequests,

    /// <summary>The server or the way to it is disturbed: try again.</summary>
    Unavailable,

    /// <summary>The server does not know the account.</summary>
    Unauthorized,

    /// <summary>The request makes no sense now, for example the log of a container that has not started.</summary>
    BadRequest,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>What a failed request to a cluster means, and what to tell people.</summary>
/// <param name="Kind">What it means.</param>
/// <param name="Message">One sentence without secrets.</param>
/// <param name="RetryAfter">How long the server asks to wait; null where it does not say.</param>
public sealed record ClusterFault(FaultKind Kind, string Message, TimeSpan? RetryAfter = null)
{
    /// <summary>The longest message, in characters.</summary>
    private const int MaxMessage = 600;

    /// <summary>The most causes of an invalid object that are named.</summary>
    private const int MaxCauses = 5;

    /// <summary>Whether the same request may succeed a little later.</summary>
    public bool IsTransient => Kind is FaultKind.TooManyRequests or FaultKind.Unavailable;

    /// <summary>
    /// Reads a failure. The library tells a request that took too long by <see cref="OperationCanceledException"/>; so whoever cancels looks at the own token first.
    /// </summary>
    public static ClusterFault Of(Exception failure) => failure switch
    {
        HttpOperationException { Response: { } response } => Of(response.StatusCode, StatusIn(response.Content), RetryAfterIn(response)),
        KubernetesException { Status: { } status } => Of((HttpStatusCode)(status.Code ?? 0), status, null),
        HttpRequestException { InnerException: AuthenticationException e } =>
            new(FaultKind.Unavailable, Clean($"The API server's certificate is not trusted: {e.Message}")),
        StoreFailedException => new(FaultKind.Unavailable, Clean(failure.Message)),
        HttpRequestException or IOException or System.Net.Sockets.SocketException => new(FaultKind.Unavailable, Clean($"The API server was not reached: {failure.Message}")),
        TimeoutException => new(FaultKind.Unavailable, Clean(failure.Message)),
        OperationCanceledException => new(FaultKind.Unavailable, "The API server did not answer in time."),
        JsonException => new(FaultKind.Unavailable, "The API server's answer was not understood; is something else between?"),
        _ => new(FaultKind.Other, Clean(failure.Message)),
    };

    /// <summary>Reads a <c>Status</c>, as streams carry it.</summary>
    internal static ClusterFault Of(V1Status status) => Of((HttpStatusCode)(status.Code ?? 0), status, null);

    private static ClusterFault Of(HttpStatusCode code, V1Status? status, TimeSpan? retryAfter)
    {
        var message = Clean(status?.Message is { Length: > 0 } said ? said : $"The API server answered {(int)code}.");
        var wait = retryAfter ?? (status?.Details?.RetryAfterSeconds is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : null);
        return code switch
        {
            HttpStatusCode.NotFound => new(FaultKind.NotFound, message),
            // Admission counts a quota by compare-and-swap, and gives up when many pods are made at once. The object itself was not touched.
            HttpStatusCode.Conflict when status?.Details?.Kind is "resourcequotas" => new(FaultKind.Unavailable, message, wait),
            HttpStatusCode.Conflict => new(status?.Reason is "AlreadyExists" ? FaultKind.AlreadyExists : FaultKind.Conflict, message, wait),
            HttpStatusCode.Gone => new(FaultKind.Expired, message),
            HttpStatusCode.UnprocessableEntity => new(FaultKind.Invalid, Causes(status, message)),
            HttpStatusCode.RequestEntityTooLarge => new(FaultKind.Invalid, message),
            HttpStatusCode.Forbidden => new(Forbidden(status, message), message),
            HttpStatusCode.Unauthorized => new(FaultKind.Unauthorized, "The API server does not know the account; is its token expired?"),
            HttpStatusCode.TooManyRequests => new(FaultKind.TooManyRequests, message, wait),
            HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError => new(FaultKind.Unavailable, message, wait),
            HttpStatusCode.BadRequest => new(FaultKind.BadRequest, message),
            _ => new(FaultKind.Other, message),
        };
    }

    private static FaultKind Forbidden(V1Status? status, string message) =>
        message.Contains("exceeded quota", StringComparison.OrdinalIgnoreCase) ? FaultKind.QuotaExceeded
        : status?.Details?.Causes?.Any(cause => cause.Reason is "NamespaceTerminating") is true ? FaultKind.Terminating
        : FaultKind.Forbidden;

    private static string Causes(V1Status? status, string message)
    {
        if (status?.Details?.Causes is not { Count: > 0 } causes) return message;
        // A cause quotes the value that it does not like, and of Secrets nobody may read any.
        var isSecret = status.Details.Kind?.StartsWith("secret", StringComparison.OrdinalIgnoreCase) is true;
        var named = causes.Take(MaxCauses).Select(cause => isSecret ? $"{cause.Field} ({cause.Reason})" : $"{cause.Field}: {cause.Message}");
        return Clean($"{status.Details.Kind} {status.Details.Name} is invalid: {string.Join("; ", named)}");
    }

    private static V1Status? StatusIn(string? content)
    {
        if (string.IsNullOrEmpty(content) || content[0] != '{') return null;
        try
        {
            return KubernetesJson.Deserialize<V1Status>(content);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static TimeSpan? RetryAfterIn(HttpResponseMessageWrapper response) =>
        response.Headers?.FirstOrDefault(header => string.Equals(header.Key, "Retry-After", StringComparison.OrdinalIgnoreCase)).Value?.FirstOrDefault() is { } value
        && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;

    private static string Clean(string text)
    {
        var clean = new StringBuilder(Math.Min(text.Length, MaxMessage) + 1);
        foreach (var letter in text.AsSpan(0, Math.Min(text.Length, MaxMessage))) clean.Append(char.IsControl(letter) ? ' ' : letter);
        if (text.Length > MaxMessage) clean.Append('…');
        return clean.ToString();
    }
}
