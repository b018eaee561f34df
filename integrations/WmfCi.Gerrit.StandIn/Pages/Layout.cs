using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Pages;

/// <summary>What every page has around it.</summary>
internal static class Layout
{
    private static readonly Markup Style = new("""
        <style>
        :root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #1a7f37; --bad: #c0362c; }
        @media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; } }
        * { box-sizing: border-box; }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 0 1rem 3rem; overflow-wrap: anywhere; }
        body > header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between; padding: .75rem 0; border-bottom: 1px solid var(--line); }
        h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .25rem; }
        table { width: 100%; border-collapse: collapse; } th, td { text-align: left; padding: .4rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
        .path { width: 100%; } .n { font-variant-numeric: tabular-nums; white-space: nowrap; }
        pre { white-space: pre-wrap; background: var(--soft); border-radius: 6px; padding: .6rem .75rem; margin: .25rem 0; font: 14px/1.45 ui-monospace, monospace; }
        .text { white-space: pre-wrap; } article { margin: .75rem 0; } time, small { opacity: .75; font-size: .85rem; }
        .badge { display: inline-block; border: 1px solid currentColor; border-radius: 1em; padding: 0 .6em; font-size: .85rem; white-space: nowrap; }
        .good, .merged { color: var(--good); } .bad, .abandoned { color: var(--bad); } .problem { border: 2px solid var(--bad); }
        textarea, select, button { font: inherit; } textarea { width: 100%; } button { padding: .35rem .9rem; min-height: 2.75rem; }
        fieldset { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; } fieldset label { display: inline-block; padding: .35rem .5rem .35rem 0; }
        </style>
        """);

    public static Markup Page(string title, (IReadOnlyList<Account> People, Account? User) who, Markup body)
    {
        var people = who.People.Select(p => Markup.Of($"<option value=\"{p.UserName}\"{(p == who.User ? " selected" : "")}>{p.FullName}{(p.Group.Length > 0 ? $" ({p.Group})" : "")}</option>"));
        return Markup.Of($"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>{Style}</head>
            <body><header><a href="/"><b>Gerrit of the sandbox</b></a>
            <form method="post" action="/login"><label for="user">I am</label> <select id="user" name="user">{Markup.Join(people)}</select> <button>{(who.User is null ? "Choose" : "Change")}</button></form></header>
            <main>{body}</main></body></html>
            """);
    }
}
