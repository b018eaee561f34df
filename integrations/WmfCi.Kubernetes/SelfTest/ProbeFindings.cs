using System.Globalization;
using WmfCi.Core.Runs;
using WmfCi.Workspaces;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>What the results of probes mean. Pure.</summary>
internal static class ProbeFindings
{
    /// <summary>From which difference of clocks on people are confused.</summary>
    public static readonly TimeSpan ClockBound = TimeSpan.FromSeconds(30);

    /// <summary>From when on a first step is late.</summary>
    public static readonly TimeSpan Slow = TimeSpan.FromSeconds(20);

    private const string Policies = "Use a network plugin that enforces NetworkPolicy (Calico and Cilium do, Flannel alone does not), and remove policies of others in this namespace that allow more.";

    private static readonly Expected[] Identities =
    [
        new("uid", "steps' user", result => result.Length > 0 && result.Split(' ').All(id => id is not "0") ? $"{result.Split(' ')[0]}, not root" : null, "Let no admission rule change `runAsUser` of stages' pods."),
        new("capabilities", "steps' capabilities", result => result.Length > 0 && result.All(digit => digit == '0') ? "none" : null, "Let no admission rule add capabilities to stages' pods."),
        new("privileges", "new privileges", result => result == "1" ? "none can be had" : null, "Let no admission rule change `allowPrivilegeEscalation` of stages' pods; check the container runtime."),
        new("seccomp", "system calls", result => result == "2" ? "filtered" : null, "Use a container runtime with seccomp; the profile RuntimeDefault is asked for."),
        new("token", "service account", result => result == "absent" ? "steps have no token" : null, "Let no admission rule set `automountServiceAccountToken` of stages' pods."),
        new("own-token", "one-time tokens", result => result == "absent" ? "steps do not see them" : null, "Let no admission rule add volumes to stages' containers."),
        new("variables", "variables", result => result == "none" ? "none named KUBERNETES_…" : null, "Use the image of wmfci-pod of this version."),
        new("tools", "the program's folder", result => result == "refused" ? "read-only for steps" : null, "Use a container runtime that mounts volumes read-only where it is asked to."),
        new("supervisor", "the supervisor", result => result == "refused" ? "its environment is closed to steps" : null, "Use the image of wmfci-pod of this version; check that nodes mount /proc as usual."),
    ];

    /// <summary>Whether the probes' stage came through at all.</summary>
    public static Check Stage(Probed probed, string where)
    {
        const string name = "a stage";
        var (report, heard) = (probed.Report, probed.Heard);
        var waits = heard.Waits.Length == 0 ? "" : $" It said last: {heard.Waits}";
        if (report is null) return Check.Failed(name, $"It did not end in time.{(heard.FirstStep is null ? " Its first step never began." : "")}{waits}", $"Mend what it waits for. If it is only slow, as the first time on a node, run the self-test again. Pods must reach {where}.");
        if (report.Kind != OutcomeKind.Succeeded)
        {
            var said = heard.LastLine.Length > 0 && heard.Results.Count == 0 ? $" It printed: {heard.LastLine}" : "";
            return Check.Failed(name, $"{report.Kind}: {report.Explanation}{waits}{said}", $"Mend what it says. Pods must fetch both images, and reach {where}.");
        }
        return heard.Results.Count == 0 ? Check.Failed(name, "It succeeded, and printed no results.", "Use the image of wmfci-pod of this very version: `runner.kubernetes.image`.")
            : Check.Passed(name, $"its images were pulled, its workspace was fetched from {where}, and its files were collected");
    }

    /// <summary>How long it takes until something runs.</summary>
    public static Check Speed(TimeSpan firstStep)
    {
        var found = string.Create(CultureInfo.InvariantCulture, $"after {firstStep.TotalSeconds:0.0} s");
        return firstStep < Slow ? Check.Passed("first step", found)
            : Check.Warned("first step", found, "Run the self-test again: the first time on a node both images are fetched. If it stays slow, look at the events of the namespace.");
    }

    /// <summary>What steps are and see.</summary>
    public static IEnumerable<Check> Identity(IReadOnlyDictionary<string, string> results, DateTimeOffset? clockHeard) =>
        Identities.Select(expected => expected.Judge(results)).Append(Clock(results, clockHeard));

    /// <summary>What steps without a network reach. The witness has the last word on what arrived.</summary>
    public static IEnumerable<Check> Closed(IReadOnlyDictionary<string, string> results, (int Arrived, bool Hears) witness, string where)
    {
        var control = results.GetValueOrDefault("exchange");
        yield return control == "connected" ? Check.Passed("the exchange", $"steps reach {where}, as a control of what follows")
            : Check.Failed("the exchange", $"Steps do not reach {where} ({control ?? "no result"}), so that nothing below it proves anything.", "Let pods reach the exchange: its address in `runner.kubernetes.exchange.url`, and firewalls on the way.");
        const string name = "network policies";
        if (!witness.Hears) yield return Check.Skipped(name, "This machine does not let itself be reached at the other port, so the listener there proves nothing; see the other networks below.");
        else if (witness.Arrived > 0 || results.GetValueOrDefault("listener") == "connected") yield return Check.Failed(name, $"Steps came through to another port of the exchange's machine ({witness.Arrived} times): network policies are not enforced.", Policies);
        else yield return Check.Passed(name, "nothing arrived at another port of the exchange's machine, by TCP or UDP");
        yield return Blocked(results, "metadata", "metadata address", "169.254.169.254", Policies);
        foreach (var (key, _) in results.Where(result => result.Key.StartsWith("api-", StringComparison.Ordinal)).OrderBy(result => result.Key, StringComparer.Ordinal))
            yield return Blocked(results, key, $"API server {key[4..]}", "the API server", Policies);
        yield return new Expected("dns", "names", result => result != "resolved" ? $"none are resolved ({result})" : null, Policies).Judge(results);
    }

    /// <summary>What steps with a network reach: the world, and nothing of the cluster's or the site's.</summary>
    public static IEnumerable<Check> Open(IReadOnlyDictionary<string, string> results, int arrived, bool isWitnessPrivate)
    {
        const string advice = "Add the address to `runner.kubernetes.blocked`; if it is there or private, see “network policies” above.";
        if (isWitnessPrivate)
            yield return arrived > 0 ? Check.Failed("network: true, private", "Stages with a network reach the exchange's machine at other ports, at its private address.", Policies)
                : Check.Passed("network: true, private", "stages with a network do not reach other ports of the exchange's machine");
        yield return Blocked(results, "metadata", "network: true, metadata", "169.254.169.254", advice);
        foreach (var (key, _) in results.Where(result => result.Key.StartsWith("api-", StringComparison.Ordinal)).OrderBy(result => result.Key, StringComparer.Ordinal))
            yield return Blocked(results, key, $"network: true, API server {key[4..]}", "the API server", advice);
        yield return results.GetValueOrDefault("dns") == "resolved" ? Check.Passed("network: true, names", "names are resolved")
            : Check.Warned("network: true, names", $"Stages with `network: true` resolve no names ({results.GetValueOrDefault("dns") ?? "no result"}).", "Label the pods of the cluster's DNS `k8s-app: kube-dns`; where the DNS runs on nodes themselves, add a network policy of your own that allows its address.");
    }

    /// <summary>What happens to a step that takes more than it may.</summary>
    public static IEnumerable<Check> Limits(Probed closed, Probed memory, Probed disk)
    {
        const string processes = "process limit", memories = "memory limit", disks = "disk limit";
        var result = closed.Heard.Results.GetValueOrDefault("processes");
        yield return result is null ? Check.Skipped(processes, "no result")
            : result.StartsWith("stopped after ", StringComparison.Ordinal) ? Check.Passed(processes, $"a step with {ProbeRun.MaxProcesses} was {result} more")
            : Check.Failed(processes, $"A step that may have {ProbeRun.MaxProcesses} processes and threads: {result}.", "Use the image of wmfci-pod of this version; set `podPidsLimit` of the kubelets besides.");
        yield return Ended(memories, memory, OutcomeKind.OutOfMemory, "took more memory than it may", "Check that the kubelets have control groups for pods' memory (`cgroupsPerQOS`).");
        yield return Ended(disks, disk, OutcomeKind.DiskFull, "wrote more than it may", "Set `localStorageCapacityIsolation: true` on the kubelets, and let them look at disks at least every minute.");
    }

    private static Check Ended(string name, Probed probed, OutcomeKind wanted, string did, string mend)
    {
        if (probed.Report?.Kind == wanted) return Check.Passed(name, string.Create(CultureInfo.InvariantCulture, $"a step that {did} was ended, {(probed.Took - (probed.Heard.FirstStep ?? TimeSpan.Zero)).TotalSeconds:0} s after it began"));
        if (probed.Report?.Kind == OutcomeKind.Succeeded && probed.Heard.Results.Values.Contains("all", StringComparer.Ordinal)) return Check.Failed(name, $"A step that {did} was not ended.", mend);
        var why = probed.Report is { } report ? $"{report.Kind}: {report.Explanation}" : $"it did not end in time. {probed.Heard.Waits}";
        return Check.Warned(name, $"This could not be seen: {why.TrimEnd()} {probed.Heard.LastLine}".TrimEnd(), mend);
    }

    private static Check Clock(IReadOnlyDictionary<string, string> results, DateTimeOffset? heard)
    {
        const string name = "clocks";
        if (heard is not { } here || !long.TryParse(results.GetValueOrDefault("clock"), CultureInfo.InvariantCulture, out var milliseconds) || Math.Abs(milliseconds) > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
            return Check.Skipped(name, "no result");
        var apart = (here - DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)).Duration();
        return apart <= ClockBound ? Check.Passed(name, string.Create(CultureInfo.InvariantCulture, $"the node's and this machine's are less than {Math.Ceiling(apart.TotalSeconds):0} s apart"))
            : Check.Warned(name, $"The node's clock and this machine's are {Amounts.Duration(TimeSpan.FromSeconds(Math.Round(apart.TotalSeconds)))} apart.", "Let a time service (chrony, systemd-timesyncd) set both clocks.");
    }

    private static Check Blocked(IReadOnlyDictionary<string, string> results, string probe, string name, string what, string mend) =>
        new Expected(probe, name, result => result == "connected" ? null : $"{what} is out of reach ({result})", mend) { Bad = result => $"Steps reach {what} ({result})." }.Judge(results);

    /// <summary>What a probe should come to.</summary>
    /// <param name="Probe">The probe's name in the results.</param>
    /// <param name="Name">The check's name.</param>
    /// <param name="Good">What was found, in words, of a result that is as it should be; else nothing.</param>
    /// <param name="Mend">What to do when it is not.</param>
    private sealed record Expected(string Probe, string Name, Func<string, string?> Good, string Mend)
    {
        private const string Version = "Use the image of wmfci-pod of this version: `runner.kubernetes.image`.";

        public Func<string, string> Bad { get; init; } = result => $"It is not as it must be: {result}.";

        public Check Judge(IReadOnlyDictionary<string, string> results)
        {
            if (!results.TryGetValue(Probe, out var result)) return Check.Failed(Name, "The probe gave no result.", Version);
            if (result.StartsWith("failed: ", StringComparison.Ordinal)) return Check.Failed(Name, $"The probe could not be made: {result[8..]}.", Version);
            return Good(result) is { } found ? Check.Passed(Name, found) : Check.Failed(Name, Bad(result), Mend);
        }
    }
}
