using k8s;
using k8s.Autorest;
using k8s.Models;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Who we are in the cluster, what we may do there, and whether the namespace is as it should be.</summary>
internal sealed class AccountChecks(Cluster cluster)
{
    /// <summary>The versions that the runner is known to work with.</summary>
    public const int OldestMinor = 20, NewestMinor = 35;

    private const string EnforceLabel = "pod-security.kubernetes.io/enforce";
    private const int SecurityMinor = 23;

    /// <summary>What makes the account right.</summary>
    public const string RoleAdvice = "Run `wmfci selftest kubernetes --config SITE-FILE --print-role | kubectl apply -f -`, with --account NAMESPACE/NAME for the account of the service.";

    /// <summary>Whether the server knows the account, over a connection that is what it says.</summary>
    public async Task<IReadOnlyList<Check>> AccountAsync(CancellationToken cancellationToken)
    {
        const string name = "account";
        if (cluster.Client.BaseUri.Scheme != Uri.UriSchemeHttps)
            return [Check.Failed(name, $"{cluster.Client.BaseUri} is not https, so anybody on the way could take the account over.", "Write an https address into `server:` of the kubeconfig.")];
        try
        {
            // Everybody may ask for the version; only known accounts may ask what they may do.
            await MayAsync(Rights.Needed[0], "create", cluster.Namespace, cancellationToken);
            return [Check.Passed(name, $"{await NameAsync(cancellationToken)} at {cluster.Client.BaseUri}, whose certificate was verified")];
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            var fault = ClusterFault.Of(error);
            return [Check.Failed(name, fault.Message, fault.Kind is FaultKind.Unauthorized or FaultKind.Forbidden
                ? "Make a new token or certificate for the account, and write it into the kubeconfig."
                : "Check `server:` and `certificate-authority:` of the kubeconfig, and that this machine reaches the API server.")];
        }
    }

    /// <summary>Whether the server's version is one that we know.</summary>
    public static Check Version(ClusterVersion version)
    {
        const string name = "version";
        if (!version.IsAtLeast(1, OldestMinor)) return Check.Failed(name, $"The server is {version}.", $"Upgrade the cluster to 1.{OldestMinor} or later.");
        return version.IsAtLeast(1, NewestMinor + 1)
            ? Check.Warned(name, $"The server is {version}, later than 1.{NewestMinor}, the latest that this program was tried with.", "Look for a later WmfCi if something else here fails.")
            : Check.Passed(name, version.ToString());
    }

    /// <summary>Whether the namespace is there, and lets no pod do more than stages' pods do.</summary>
    public async Task<IReadOnlyList<Check>> NamespaceAsync(ClusterVersion version, CancellationToken cancellationToken)
    {
        const string name = "namespace";
        var label = $"kubectl label --overwrite namespace {cluster.Namespace} {EnforceLabel}=restricted";
        try
        {
            var space = await cluster.Retries.RunAsync(token => cluster.Client.CoreV1.ReadNamespaceAsync(cluster.Namespace, cancellationToken: token), cancellationToken);
            if (space.DeletionTimestamp() is not null) return [Check.Failed(name, $"{cluster.Namespace} is being deleted.", "Wait until it is gone, and create it again.")];
            var level = space.GetLabel(EnforceLabel) ?? "nothing";
            if (!version.IsAtLeast(1, SecurityMinor))
                return [Check.Warned(name, $"{cluster.Namespace} is there; a server before 1.{SecurityMinor} does not enforce pod security.", "Let an admission policy of your own keep other pods out of this namespace, and upgrade the cluster.")];
            return level == "restricted"
                ? [Check.Passed(name, $"{cluster.Namespace} is there and enforces pod security “restricted”")]
                : [Check.Failed(name, $"{cluster.Namespace} enforces {Clean(level)} of pod security, not “restricted”.", $"Run `{label}`.")];
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.NotFound)
        {
            return [Check.Failed(name, $"There is no namespace {cluster.Namespace}.", $"Run `kubectl create namespace {cluster.Namespace}`, then `{label}`.")];
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.Forbidden)
        {
            return [Check.Skipped(name, $"The account may not read {cluster.Namespace}, so its labels are unknown. {RoleAdvice}")];
        }
    }

    /// <summary>Whether the account has the rights that the runner needs, and none that it does not.</summary>
    public async Task<IReadOnlyList<Check>> RightsAsync(CancellationToken cancellationToken)
    {
        var checks = await Task.WhenAll(Rights.Needed.Select(right => RightAsync(right, cancellationToken)));
        var unwanted = await Task.WhenAll(Rights.Unwanted.Select(async excess =>
            await MayAsync(excess.Right, excess.Right.Verbs[0], excess.Namespace == Excess.Own ? cluster.Namespace : excess.Namespace, cancellationToken) ? excess.What : null));
        var may = unwanted.OfType<string>().ToList();
        return
        [
            .. checks,
            may.Count == 0 ? Check.Passed("rights too many", "none of those that were asked for")
                : Check.Warned("rights too many", $"The account may also {string.Join(", ", may)}.", "Give the service an account of its own that has the Role only (--print-role), and a kubeconfig with that account."),
        ];
    }

    private async Task<Check> RightAsync(Right right, CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(right.Verbs.Select(async verb => (Verb: verb, May: await MayAsync(right, verb, cluster.Namespace, cancellationToken))));
        var missing = answers.Where(answer => !answer.May).Select(answer => answer.Verb).ToList();
        return missing.Count == 0 ? Check.Passed($"right {right.Name}", string.Join(", ", right.Verbs))
            : Check.Failed($"right {right.Name}", $"The account may not {string.Join(", ", missing)} {right.Name} in {cluster.Namespace} ({right.Why}).", RoleAdvice);
    }

    private async Task<bool> MayAsync(Right right, string verb, string? space, CancellationToken cancellationToken)
    {
        var slash = right.Resource.IndexOf('/', StringComparison.Ordinal);
        var review = new V1SelfSubjectAccessReview
        {
            Spec = new V1SelfSubjectAccessReviewSpec
            {
                ResourceAttributes = new V1ResourceAttributes
                {
                    Group = right.Group,
                    Resource = slash < 0 ? right.Resource : right.Resource[..slash],
                    Subresource = slash < 0 ? null : right.Resource[(slash + 1)..],
                    Verb = verb,
                    NamespaceProperty = space,
                },
            },
        };
        return (await cluster.Retries.RunAsync(token => cluster.Client.AuthorizationV1.CreateSelfSubjectAccessReviewAsync(review, cancellationToken: token), cancellationToken)).Status.Allowed;
    }

    private async Task<string> NameAsync(CancellationToken cancellationToken)
    {
        try
        {
            return Clean((await cluster.Client.AuthenticationV1.CreateSelfSubjectReviewAsync(new V1SelfSubjectReview(), cancellationToken: cancellationToken)).Status.UserInfo.Username);
        }
        catch (Exception error) when (error is HttpOperationException or System.Text.Json.JsonException)
        {
            // Servers before 1.28 do not say.
            return "an account that the server knows";
        }
    }

    private static string Clean(string text) => Core.PlainText.Line(text, 200);
}
