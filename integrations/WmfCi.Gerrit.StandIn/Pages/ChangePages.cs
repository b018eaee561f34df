using WmfCi.Gerrit.StandIn.Model;
using WmfCi.Gerrit.StandIn.Rest;

namespace WmfCi.Gerrit.StandIn.Pages;

/// <summary>
/// The pages for people: the list of changes, and a page per change with a reply form. Who looks says who they are by choosing from a list,
/// without a password: this is for a sandbox on one's own machine.
/// </summary>
internal sealed class ChangePages(Site site)
{
    private const string Cookie = "standin-user";
    private const int MaxListed = 200;
    private const int MaxDiff = 200_000;

    public async Task<RestAnswer> AnswerAsync(HttpContext context, IReadOnlyList<string> path, string body)
    {
        var ct = context.RequestAborted;
        var user = context.Request.Cookies[Cookie] is { } name ? site.Accounts.Named(name) : null;
        var isPost = context.Request.Method == "POST";
        if (isPost && !FromHere(context.Request)) return RestAnswer.Text(403, "This form was sent from another site.");
        try
        {
            return path switch
            {
                ["tools", "hooks", "commit-msg"] => RestAnswer.Plain(CommitMessageHook.Script),
                ["" or "dashboard" or "q", ..] => await site.ExclusivelyAsync(() => Task.FromResult(List(user)), ct),
                ["login"] when isPost => LogIn(context, Form(body)),
                ["c", .., "+", var number] when int.TryParse(number, out var n) => isPost
                    ? await site.ExclusivelyAsync(() => ActAsync(Find(n, user), user, Form(body)), CancellationToken.None)
                    : await site.ExclusivelyAsync(() => ShowAsync(Find(n, user), user, null, ct), ct),
                ["c", .., "+", var number, _] when int.TryParse(number, out _) => RestAnswer.Redirect("/" + string.Join('/', path.SkipLast(1))),
                [var number] when int.TryParse(number, out var n) => await site.ExclusivelyAsync(() => Task.FromResult(RestAnswer.Redirect(site.AddressOf(Find(n, user)))), ct),
                _ => RestAnswer.Text(404, "Not Found"),
            };
        }
        catch (RefusedException refusal)
        {
            return Page("Refused", user, Markup.Of($"<h1>Refused</h1><pre class=\"problem\">{refusal.Message}</pre><p><a href=\"/\">All changes</a></p>"), refusal.Status);
        }
    }

    private Change Find(int number, Account? user) =>
        site.Facts.Changes.TryGetValue(number, out var change) && Rights.MaySee(user, change) ? change : throw RestApi.NotFound(number.ToString());

    private RestAnswer List(Account? user)
    {
        var changes = site.Facts.Changes.Values.Where(c => Rights.MaySee(user, c)).OrderByDescending(c => c.IsOpen).ThenByDescending(c => c.Updated)
            .ThenByDescending(c => c.Number).Take(MaxListed).ToList();
        var rows = changes.Select(c => Markup.Of($"""
            <tr><td class="n">{c.Number}</td><td><a href="{PathOf(c)}">{c.Subject}</a><br><small>{c.Project} · {c.Branch} · {site.Accounts[c.Owner].FullName}</small></td>
            <td>{Badge(c)}</td><td>{Votes(c)}</td></tr>

            """));
        var body = changes.Count == 0
            ? Markup.Of($"<h1>Changes</h1><p>There is none yet. Push a commit to <code>refs/for/main</code>.</p>")
            : Markup.Of($"<h1>Changes</h1><table><thead><tr><th>#</th><th>Change</th><th>State</th><th>Votes</th></tr></thead><tbody>{Markup.Join(rows)}</tbody></table>");
        return Page("Changes", user, body, 200);
    }

    private async Task<RestAnswer> ShowAsync(Change change, Account? user, string? problem, CancellationToken ct)
    {
        var repository = site.Repository(change.Project);
        var diff = await repository.RunAsync(["diff-tree", "--root", "-p", "-M", "--no-commit-id", change.Current.Revision], ct);
        if (diff.Length > MaxDiff) diff = diff[..MaxDiff] + "\n… (the rest is left out)";
        var body = Markup.Of($"""
            <p><a href="/">All changes</a></p>
            <h1>{change.Subject}</h1>
            {(problem is null ? Markup.Empty : Markup.Of($"<pre class=\"problem\" role=\"alert\">{problem}</pre>"))}
            <p>{Badge(change)} Change {change.Number} by {site.Accounts[change.Owner].FullName}, patch set {change.Current.Number}, for <b>{change.Branch}</b> of <b>{change.Project}</b></p>
            <h2>Votes</h2><p>{Votes(change)}</p>
            <h2>Message of the commit</h2><pre>{Markup.Linked(change.Current.Commit.Message)}</pre>
            <h2>Files</h2>{Files(change.Current)}
            <details><summary>What changes</summary><pre>{diff}</pre></details>
            <h2>Conversation</h2>{Markup.Join(change.Messages.Select(m => Message(change, m)))}
            {Reply(change, user)}
            """);
        return Page($"{change.Number}: {change.Subject}", user, body, problem is null ? 200 : 409);
    }

    private async Task<RestAnswer> ActAsync(Change change, Account? user, Dictionary<string, string> form)
    {
        if (user is null) throw new RefusedException(403, "Say first who you are, at the top of the page.");
        var message = form.GetValueOrDefault("message", "").ReplaceLineEndings("\n");
        try
        {
            switch (form.GetValueOrDefault("action"))
            {
                case "reply":
                    var labels = Labels.All.Where(l => form.GetValueOrDefault(l.Name) is { Length: > 0 })
                        .ToDictionary(l => l.Name, l => int.TryParse(form[l.Name], out var value) ? value : throw new RefusedException(400, "That is no vote."));
                    new Reviews(site).Post(change, change.Current, user, new ReviewInput { Message = message, Labels = labels });
                    break;
                case "submit": await new Submission(site).SubmitAsync(change, null, user, CancellationToken.None); break;
                case "abandon": new Lifecycle(site).Abandon(change, user, message); break;
                case "restore": new Lifecycle(site).Restore(change, user, message); break;
                case "ready": new Lifecycle(site).SetWip(change, user, false, message); break;
                default: throw new RefusedException(400, "That button is not known.");
            }
        }
        catch (RefusedException refusal)
        {
            return await ShowAsync(change, user, refusal.Message, CancellationToken.None);
        }
        return RestAnswer.Redirect(PathOf(change));
    }

    private RestAnswer LogIn(HttpContext context, Dictionary<string, string> form)
    {
        var account = site.Accounts.Named(form.GetValueOrDefault("user", "")) ?? throw new RefusedException(400, "There is no such person here.");
        context.Response.Cookies.Append(Cookie, account.UserName, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
        var to = form.GetValueOrDefault("to", "/");
        // Only addresses of this server: '//host' and '/\host' would lead away.
        return RestAnswer.Redirect(to.StartsWith('/') && !to.StartsWith("//", StringComparison.Ordinal) && !to.Contains('\\', StringComparison.Ordinal) ? to : "/");
    }

    private static bool FromHere(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        return origin.Length == 0 || origin == $"{request.Scheme}://{request.Host}";
    }

    private static Dictionary<string, string> Form(string body) =>
        body.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(f => f.Split('=', 2)).Where(f => f.Length == 2)
            .GroupBy(f => Decode(f[0])).ToDictionary(g => g.Key, g => Decode(g.Last()[1]), StringComparer.Ordinal);

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

    private static string PathOf(Change change) => $"/c/{change.Project}/+/{change.Number}";

    private RestAnswer Page(string title, Account? user, Markup body, int status) => RestAnswer.Html(Layout.Page(title, (site.Accounts.All, user), body).Html, status);

    private static Markup Badge(Change change)
    {
        var state = change.IsOpen ? change.WorkInProgress ? "work in progress" : "open" : change.StatusName.ToLowerInvariant();
        return Markup.Of($"<span class=\"badge {change.StatusName.ToLowerInvariant()}\">{state}</span>{(change.Private ? Markup.Of($" <span class=\"badge\">private</span>") : Markup.Empty)}");
    }

    private Markup Votes(Change change)
    {
        var votes = change.VotesOn(change.Current.Number).ToList();
        if (votes.Count == 0) return Markup.Of($"<small>none</small>");
        return Markup.Join(votes.Select(v => Markup.Of(
            $"<span class=\"badge {(v.Value < 0 ? "bad" : "good")}\" title=\"{site.Accounts[v.Account].FullName}\">{v.Label} {v.Value.ToString("+0;-0")}</span> ")));
    }

    private static Markup Files(PatchSet patchSet) =>
        patchSet.Files.Count == 0
            ? Markup.Of($"<p>None.</p>")
            : Markup.Of($"<table><tbody>{Markup.Join(patchSet.Files.Select(f => Markup.Of($"<tr><td>{f.Status}</td><td class=\"path\"><code>{f.Path}</code></td><td class=\"n\">+{f.Inserted}</td><td class=\"n\">−{f.Deleted}</td></tr>")))}</tbody></table>");

    private Markup Message(Change change, ChangeMessage message)
    {
        var comments = change.Comments.Where(c => c.ChangeMessageId == message.Id).Select(c => Markup.Of(
            $"<li><code>{c.Path}{(c.Line is { } line ? ":" + line : "")}</code> <span class=\"text\">{Markup.Linked(c.Message)}</span></li>")).ToList();
        return Markup.Of($"""
            <article><header><b>{site.Accounts[message.Author].FullName}</b> <time>{message.Date.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss")} UTC</time></header>
            <pre>{Markup.Linked(message.Message)}</pre>{(comments.Count == 0 ? Markup.Empty : Markup.Of($"<ul>{Markup.Join(comments)}</ul>"))}</article>

            """);
    }

    private static Markup Reply(Change change, Account? user)
    {
        if (user is null) return Markup.Of($"<p>To reply, say at the top who you are.</p>");
        var votes = change.Status == ChangeStatus.Merged ? [] : Labels.All.Where(l => l.Range(user) is not null).Select(l =>
        {
            var (min, max) = l.Range(user)!.Value;
            var mine = change.VotesOn(change.Current.Number).FirstOrDefault(v => v.Account == user.Id && v.Label == l.Name)?.Value;
            var options = Enumerable.Range(min, max - min + 1).Select(v => Markup.Of(
                $"<label><input type=\"radio\" name=\"{l.Name}\" value=\"{v}\"{(v == (mine ?? 0) ? " checked" : "")}> {v.ToString("+0;-0;0")}</label> "));
            return Markup.Of($"<fieldset><legend>{l.Name}</legend>{Markup.Join(options)}</fieldset>");
        });
        static Markup Button(string action, string text) => Markup.Of($"<button name=\"action\" value=\"{action}\">{text}</button> ");
        var buttons = new List<Markup> { Button("reply", "Reply") };
        if (change.IsOpen && Rights.MaySubmit(user)) buttons.Add(Button("submit", "Submit"));
        if (change.IsOpen && change.WorkInProgress && Rights.MayToggleWip(user, change)) buttons.Add(Button("ready", "Ready for review"));
        if (change.IsOpen && Rights.MayAbandon(user, change)) buttons.Add(Button("abandon", "Abandon"));
        if (change.Status == ChangeStatus.Abandoned && Rights.MayAbandon(user, change)) buttons.Add(Button("restore", "Restore"));
        return Markup.Of($"""
            <h2>Reply as {user.FullName}</h2>
            <form method="post" action="{PathOf(change)}"><label for="message">Message</label>
            <textarea id="message" name="message" rows="4"></textarea>{Markup.Join(votes)}<p>{Markup.Join(buttons)}</p></form>
            """);
    }
}
