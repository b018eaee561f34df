using System.Net;
using System.Text;
using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>The only secrets of an attempt are its two tokens: no byte that anybody keeps has them, and who gets hold of one gains little. And nothing of one stage is left for the next.</summary>
public sealed class SecretsAndLeftovers
{
    [Fact]
    public async Task The_tokens_of_an_attempt_are_in_nothing_that_is_stored_shown_or_logged()
    {
        await using var here = await Hostile.SiteAsync();
        // All that a step can find and read, printed and kept.
        var spec = await here.SpecAsync(here.StageOf("echo begun; env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n' || true; grep -rhI '' /wmfci /artifacts /etc/passwd /run /var/run 2>/dev/null > /tmp/all || true; mv /tmp/all all") with { Artifacts = ["all"] });
        var heard = new Heard();
        var running = here.Runner.RunAsync(spec, heard, here.Token);
        await heard.PrintedAsync("begun", running, here.Token);
        var name = Marks.NameOf(here.Options.Site, spec.Id);
        var secret = await here.Client.CoreV1.ReadNamespacedSecretAsync(name, here.Namespace, cancellationToken: here.Token);
        heard.Report = await running;
        heard.ShouldEnd(OutcomeKind.Succeeded, "");

        var (fetch, collect) = JobPlan.TokensOf(secret)!.Value;
        var forms = ((string[])[fetch, collect]).SelectMany(FormsOf).ToArray();
        foreach (var (place, text) in await EverythingAsync(here, heard, name))
            foreach (var form in forms) text.Contains(form, StringComparison.Ordinal).ShouldBeFalse($"{place} has a token");
        // The search finds what is there.
        (await EverythingAsync(here, heard, name)).ShouldContain(pair => pair.Text.Contains(Marks.HashOf(fetch), StringComparison.Ordinal));
        (await EverythingAsync(here, heard, name)).Count.ShouldBeGreaterThan(8);
    }

    private static IEnumerable<string> FormsOf(string token) =>
        [token, new string([.. token.Reverse()]), Convert.ToBase64String(Encoding.ASCII.GetBytes(token))[..40], Convert.ToBase64String(Encoding.ASCII.GetBytes("Bearer " + token))[12..52], token.ToUpperInvariant(), token[..32], token[32..]];

    private static async Task<List<(string Place, string Text)>> EverythingAsync(Worksite here, Heard heard, string name)
    {
        var everything = new List<(string, string)> { ("the output", heard.Output), ("the notes", string.Join('\n', heard.Notes)), ("the report", heard.Report.ToString()) };
        foreach (var file in Directory.EnumerateFiles(here.Store.Folder, "*", SearchOption.AllDirectories)) everything.Add((file, Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, here.Token))));
        var job = await here.Client.BatchV1.ReadNamespacedJobAsync(name, here.Namespace, cancellationToken: here.Token);
        var pod = await Hostile.UntilAsync(here.Client, here.Namespace, (await here.PodAsync())!.Name(), found => found.Status.Phase == "Succeeded", here.Token);
        everything.Add(("the Job", KubernetesJson.Serialize(job)));
        everything.Add(("the pod", KubernetesJson.Serialize(pod)));
        everything.Add(("the events", KubernetesJson.Serialize(await here.Client.CoreV1.ListNamespacedEventAsync(here.Namespace, cancellationToken: here.Token))));
        foreach (var container in pod.Spec.InitContainers.Concat(pod.Spec.Containers))
        {
            using var log = new StreamReader(await here.Client.CoreV1.ReadNamespacedPodLogAsync(pod.Name(), here.Namespace, container: container.Name, cancellationToken: here.Token));
            everything.Add(($"the log of {container.Name}", await log.ReadToEndAsync(here.Token)));
        }
        return everything;
    }

    [Fact]
    public async Task A_token_that_leaked_is_worth_nothing_for_another_attempt_pod_direction_or_time()
    {
        await using var here = await Hostile.SiteAsync();
        var (one, other) = (await here.SpecAsync(here.StageOf("echo begun; sleep 1000") with { Name = "one" }), await here.SpecAsync(here.StageOf("echo begun; sleep 1000") with { Name = "other" }));
        var (heardOne, heardOther) = (new Heard(), new Heard());
        var (running, beside) = (here.Runner.RunAsync(one, heardOne, here.Token), here.Runner.RunAsync(other, heardOther, here.Token));
        await heardOne.PrintedAsync("begun", running, here.Token);
        await heardOther.PrintedAsync("begun", beside, here.Token);
        var name = Marks.NameOf(here.Options.Site, one.Id);
        var (fetch, collect) = JobPlan.TokensOf(await here.Client.CoreV1.ReadNamespacedSecretAsync(name, here.Namespace, cancellationToken: here.Token))!.Value;
        var pod = (await here.Client.BatchV1.ReadNamespacedJobAsync(name, here.Namespace, cancellationToken: here.Token)).GetAnnotation(Marks.Pod);
        using var client = new HttpClient { BaseAddress = here.Runner.ExchangeUrl };
        async Task<HttpStatusCode> AskAsync(HttpMethod method, string path, string token, string asPod, string body = "")
        {
            using var request = new HttpRequestMessage(method, path) { Content = new StringContent(body) };
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
            request.Headers.TryAddWithoutValidation("Wmfci-Pod", asPod);
            using var answer = await client.SendAsync(request, here.Token);
            return answer.StatusCode;
        }

        // The first token is used up when the workspace is laid out.
        (await AskAsync(HttpMethod.Post, $"attempts/{name}/claim", fetch, pod)).ShouldBe(HttpStatusCode.Unauthorized, "the fetch token was used up");
        (await AskAsync(HttpMethod.Get, $"attempts/{name}/blobs/{one.Snapshot}", fetch, pod)).ShouldBe(HttpStatusCode.Unauthorized);
        // Each is for one direction.
        (await AskAsync(HttpMethod.Post, $"attempts/{name}/collect", fetch, pod)).ShouldBe(HttpStatusCode.Unauthorized);
        (await AskAsync(HttpMethod.Get, $"attempts/{name}/blobs/{one.Snapshot}", collect, pod)).ShouldBe(HttpStatusCode.Unauthorized);
        // For one pod, and one attempt.
        (await AskAsync(HttpMethod.Post, $"attempts/{name}/collect", collect, "another-pod")).ShouldBe(HttpStatusCode.Conflict);
        (await AskAsync(HttpMethod.Post, $"attempts/{Marks.NameOf(here.Options.Site, other.Id)}/collect", collect, pod)).ShouldBe(HttpStatusCode.Unauthorized);
        // What it says must be so.
        (await AskAsync(HttpMethod.Put, $"attempts/{name}/blobs/{new string('0', 64)}", collect, pod, "other bytes")).ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await AskAsync(HttpMethod.Post, $"attempts/{name}/collected", collect, pod, $$"""{"files":[{"path":"x","blob":{"digest":"{{new string('1', 64)}}","size":1},"isReport":false}]}""")).ShouldBe(HttpStatusCode.UnprocessableEntity);
        // And with what is right it does answer.
        (await AskAsync(HttpMethod.Post, $"attempts/{name}/collect", collect, pod)).ShouldBe(HttpStatusCode.OK);
        await here.Runner.StopAsync(one.Id, here.Token);
        await here.Runner.StopAsync(other.Id, here.Token);
        await Task.WhenAll(running, beside);
        (await AskAsync(HttpMethod.Post, $"attempts/{name}/collect", collect, pod)).ShouldBe(HttpStatusCode.Unauthorized, "the attempt is over");
    }

    [Fact]
    public async Task Nothing_that_a_stage_leaves_anywhere_is_found_by_another_beside_it_or_after_it()
    {
        await using var here = await Hostile.SiteAsync();
        const string leave = """
            for f in /work /work/.git /tmp /var/tmp /home/ci /dev/shm /wmfci/log /wmfci/control /run /var/cache /opt /usr/local/bin /artifacts; do mkdir -p $f 2>/dev/null || true; (echo canary > $f/wmfci-canary) 2>/dev/null && echo "left in $f" || true; done
            echo begun
            """;
        const string look = "find / -path /proc -prune -o -path /sys -prune -o -name 'wmfci-canary*' -print 2>/dev/null || true; echo looked";
        var first = new Heard();
        var spec = await here.SpecAsync(here.StageOf(leave + "\nexec sleep 1000") with { Name = "beside" });
        var running = here.Runner.RunAsync(spec, first, here.Token);
        await first.PrintedAsync("begun", running, here.Token);
        var gone = await here.RunAsync(here.StageOf(leave) with { Name = "before" });
        var after = await here.RunAsync(here.StageOf(look) with { Name = "after" });
        await here.Runner.StopAsync(spec.Id, here.Token);
        await running;

        gone.Output.ShouldBe("left in /work\nleft in /work/.git\nleft in /tmp\nleft in /var/tmp\nleft in /home/ci\nleft in /dev/shm\nleft in /wmfci/log\nleft in /wmfci/control\nbegun\n");
        first.Output.ShouldBe(gone.Output);
        after.ShouldEnd(OutcomeKind.Succeeded, "");
        after.Output.ShouldBe("looked\n");
    }
}
