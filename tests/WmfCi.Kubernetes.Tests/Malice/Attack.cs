using System.Text;
using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>Something that a hostile step tries, and all that it may see of it.</summary>
/// <param name="Name">What it tries.</param>
/// <param name="Script">How, for <c>/bin/sh</c>.</param>
/// <param name="Printed">What it prints: lines, exactly.</param>
internal sealed record Attack(string Name, string Script, params string[] Printed)
{
    /// <summary>A step that tries them one after another, whatever becomes of each.</summary>
    public static string StepOf(IEnumerable<Attack> attacks)
    {
        var script = new StringBuilder();
        foreach (var attack in attacks) script.Append($"echo \"<<{attack.Name}>>\"\n(\n{attack.Script}\n) 2>&1 || true\n");
        return script.Append("echo '<<>>'\n").ToString();
    }

    /// <summary>What it printed in the output of such a step.</summary>
    public string[] PrintedIn(Heard heard)
    {
        var (begin, output) = ($"<<{Name}>>\n", heard.Output);
        output.ShouldContain(begin, customMessage: heard.ToString());
        var from = output.IndexOf(begin, StringComparison.Ordinal) + begin.Length;
        var until = output.IndexOf("<<", from, StringComparison.Ordinal);
        return output[from..until].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The kernel's call of that number (x86-64) with arguments, and what it answers.</summary>
    public static string Call(string name, int number, params string[] arguments) =>
        $$"""perl -e '@a = ({{string.Join(", ", arguments)}}); $r = syscall({{number}}, @a); print "{{name}}: ", $r == -1 ? $! : "done", "\n"'""" + "\n";
}

/// <summary>What a class of tests does once and looks at often: a stage that ran.</summary>
internal sealed class Once<T>(Func<Task<T>> run)
{
    private readonly Lock _lock = new();
    private Task<T>? _result;

    public Task<T> Result
    {
        get
        {
            lock (_lock) return _result ??= run();
        }
    }
}

/// <summary>Short words for hostile stages.</summary>
internal static class Hostile
{
    /// <summary>A site for hostile stages.</summary>
    public static Task<Worksite> SiteAsync(Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure = null) => Worksite.OpenAsync(Sites.Real(), configure);

    /// <summary>Runs a stage on a site of its own.</summary>
    public static async Task<Heard> RunAsync(params string[] scripts)
    {
        await using var here = await SiteAsync();
        return await here.RunAsync(scripts);
    }

    /// <summary>Runs stages of one step side by side on one site.</summary>
    /// <param name="scripts">The steps, by whatever tells them apart.</param>
    public static async Task<Dictionary<string, Heard>> RunAllAsync(params IEnumerable<(string Name, string Script)> scripts)
    {
        await using var here = await SiteAsync();
        // The kubelet measures volumes once a minute: a stage's own time must not be over first.
        var results = await Task.WhenAll(scripts.Select(async script => (script.Name, Heard: await here.RunAsync(here.StageOf(script.Script) with { Timeout = TimeSpan.FromMinutes(30) }))));
        return results.ToDictionary(result => result.Name, result => result.Heard, StringComparer.Ordinal);
    }

    /// <summary>Waits until a pod is as it should be.</summary>
    public static async Task<V1Pod> UntilAsync(k8s.Kubernetes client, string space, string name, Func<V1Pod, bool> isSo, CancellationToken cancellationToken)
    {
        // A server may end a watch whenever it likes; another one begins with what is there.
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await foreach (var (_, pod) in client.CoreV1.WatchListNamespacedPodAsync(space, fieldSelector: $"metadata.name={name}", cancellationToken: cancellationToken))
                if (isSo(pod)) return pod;
        }
    }

    /// <summary>That a stage ended so, and what its author reads.</summary>
    public static void ShouldEnd(this Heard heard, OutcomeKind kind, string explanation)
    {
        heard.Report.Kind.ShouldBe(kind, heard.ToString());
        heard.Report.Explanation.ShouldBe(explanation);
    }
}
