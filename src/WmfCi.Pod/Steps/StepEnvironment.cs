using System.Text;
using WmfCi.Core.Pipelines;

namespace WmfCi.Pod.Steps;

/// <summary>A step's environment: the image's, without what the cluster put there, and the order's.</summary>
internal static class StepEnvironment
{
    private static readonly byte[][] Hidden = ["KUBERNETES_"u8.ToArray(), "WMFCI_EXCHANGE="u8.ToArray(), "WMFCI_POD="u8.ToArray()];

    /// <summary>Puts it together.</summary>
    /// <param name="own">The container's, as <c>/proc/self/environ</c> has it; bytes, since an image may set what is no text.</param>
    /// <param name="ordered">The order's. Later ones win, and all win over the image's but <c>PATH</c>.</param>
    public static List<byte[]> Make(ReadOnlySpan<byte> own, IEnumerable<Variable> ordered)
    {
        var values = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        while (own.Length > 0)
        {
            var end = own.IndexOf((byte)0);
            var variable = end < 0 ? own : own[..end];
            own = end < 0 ? default : own[(end + 1)..];
            if (variable.IndexOf((byte)'=') is > 0 and var equals && !IsHidden(variable)) values[Encoding.Latin1.GetString(variable[..equals])] = variable.ToArray();
        }

        var hasPath = values.ContainsKey("PATH");
        foreach (var (name, value) in ordered)
        {
            // Nothing that cannot be said in an environment; the configuration refuses it before.
            if (name.Length == 0 || name.Contains('=') || name.Contains('\0') || value.Contains('\0')) continue;
            if (name != "PATH" || !hasPath) values[name] = Encoding.UTF8.GetBytes($"{name}={value}");
        }

        return [.. values.Values];
    }

    private static bool IsHidden(ReadOnlySpan<byte> variable)
    {
        foreach (var prefix in Hidden)
        {
            if (variable.StartsWith(prefix)) return true;
        }

        return false;
    }
}
