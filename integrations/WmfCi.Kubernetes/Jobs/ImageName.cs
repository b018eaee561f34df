using System.Text.RegularExpressions;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>
/// What can be the name of an image: <c>HOST:PORT/PATH:TAG@DIGEST</c>, after the grammar of the OCI distribution's references. Looked at before the cluster is asked, which makes no pod of some
/// wrong names, or tries one again for ever, and says so nowhere in the pod's state.
/// </summary>
internal static partial class ImageName
{
    private const int MaxLength = 512, MaxShown = 100;

    /// <summary>What is wrong with it, one sentence; null where it can be a name.</summary>
    public static string? Fault(string name) => name.Length <= MaxLength && Reference.IsMatch(name) ? null
        : $"“{Core.PlainText.Line(name, MaxShown)}” cannot be an image. Write a name such as `docker.io/library/debian:12`, in small letters.";

    [GeneratedRegex(@"\A([a-zA-Z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64}|@sha512:[0-9a-f]{128})?\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Reference { get; }
}
