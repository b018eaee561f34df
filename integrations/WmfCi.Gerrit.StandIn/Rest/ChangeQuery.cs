using System.Globalization;
using System.Text;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>Gerrit's search language, as far as a CI asks: terms side by side or with AND, OR, NOT, '-' and parentheses.</summary>
internal sealed class ChangeQuery
{
    private const int MaxLength = 8_192;
    private const int MaxDepth = 50;
    private readonly Site site;
    private readonly Account? viewer;
    private readonly List<string> words;
    private int at;
    private int depth;

    private ChangeQuery(Site site, Account? viewer, string text)
    {
        (this.site, this.viewer) = (site, viewer);
        words = Words(text);
    }

    /// <summary>What a query matches; private changes of others are left out here already.</summary>
    public static Func<Change, bool> Parse(Site site, Account? viewer, string text)
    {
        if (text.Length > MaxLength) throw new RefusedException(400, $"query of more than {MaxLength} characters");
        var query = new ChangeQuery(site, viewer, text);
        Func<Change, bool> matches = query.words.Count == 0 ? _ => true : query.Or();
        if (query.at < query.words.Count) throw new RefusedException(400, $"line 1:{query.at} mismatched input '{query.words[query.at]}'");
        return change => Rights.MaySee(viewer, change) && matches(change);
    }

    private Func<Change, bool> Or()
    {
        if (++depth > MaxDepth) throw new RefusedException(400, "query is nested too deeply");
        var left = And();
        while (at < words.Count && words[at].Equals("OR", StringComparison.OrdinalIgnoreCase))
        {
            at++;
            var (first, second) = (left, And());
            left = c => first(c) || second(c);
        }
        depth--;
        return left;
    }

    private Func<Change, bool> And()
    {
        var left = Not();
        while (at < words.Count && words[at] != ")" && !words[at].Equals("OR", StringComparison.OrdinalIgnoreCase))
        {
            if (words[at].Equals("AND", StringComparison.OrdinalIgnoreCase)) at++;
            var (first, second) = (left, Not());
            left = c => first(c) && second(c);
        }
        return left;
    }

    private Func<Change, bool> Not()
    {
        if (at >= words.Count) throw new RefusedException(400, "line 1:0 no viable alternative at end of query");
        var word = words[at];
        if (word.Equals("NOT", StringComparison.OrdinalIgnoreCase) || word == "-")
        {
            at++;
            var inner = Not();
            return c => !inner(c);
        }
        at++;
        if (word == "(")
        {
            var inner = Or();
            if (at >= words.Count || words[at++] != ")") throw new RefusedException(400, "line 1:0 missing ')' in query");
            return inner;
        }
        return Term(word);
    }

    private Func<Change, bool> Term(string word)
    {
        var colon = word.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0) return ById(word);
        var (name, value) = (word[..colon], word[(colon + 1)..]);
        return name switch
        {
            "status" or "is" => State(value),
            "project" or "p" => c => c.Project == value,
            "projects" => c => c.Project.StartsWith(value, StringComparison.Ordinal),
            "branch" => c => c.Branch == Short(value),
            "ref" => c => "refs/heads/" + c.Branch == value,
            "topic" => c => (c.Topic ?? "") == value,
            "intopic" => c => c.Topic?.Contains(value, StringComparison.Ordinal) == true,
            "hashtag" => c => c.Hashtags.Contains(value),
            "owner" or "o" => Person(value, (c, a) => c.Owner == a),
            "uploader" => Person(value, (c, a) => c.Current.Uploader == a),
            "reviewer" or "r" => Person(value, (c, a) => c.Reviewers.TryGetValue(a, out var state) && state == "REVIEWER"),
            "cc" => Person(value, (c, a) => c.Reviewers.TryGetValue(a, out var state) && state == "CC"),
            "attention" => Person(value, (c, a) => c.Attention.ContainsKey(a)),
            "change" => ById(value),
            "commit" => c => value.Length > 0 && c.PatchSets.Exists(p => p.Revision.StartsWith(value, StringComparison.Ordinal)),
            "message" => c => c.Current.Commit.Message.Contains(value, StringComparison.OrdinalIgnoreCase),
            "file" => c => c.Current.Files.Any(f => f.Path == value),
            "label" => ByLabel(value),
            "after" or "since" => After(value),
            "before" or "until" => Before(value),
            "mergedafter" => AfterMerge(value),
            "age" => Older(value),
            "limit" => _ => true,
            _ => throw new RefusedException(400, $"Unsupported operator {word}"),
        };
    }

    private Func<Change, bool> State(string value) => value.ToLowerInvariant() switch
    {
        "open" or "pending" or "new" => c => c.IsOpen,
        "merged" => c => c.Status == ChangeStatus.Merged,
        "abandoned" => c => c.Status == ChangeStatus.Abandoned,
        "closed" => c => !c.IsOpen,
        "wip" => c => c.WorkInProgress,
        "private" => c => c.Private,
        "submittable" => Labels.Submittable,
        "merge" => c => c.Current.Commit.Parents.Count > 1,
        "owner" => Person("self", (c, a) => c.Owner == a),
        "reviewer" => Person("self", (c, a) => c.Reviewers.ContainsKey(a)),
        _ => throw new RefusedException(400, $"Unrecognized value: {value}"),
    };

    private Func<Change, bool> Person(string value, Func<Change, int, bool> matches)
    {
        var account = value is "self" or "me" ? viewer : site.Accounts.Find(value);
        return account is null ? _ => false : c => matches(c, account.Id);
    }

    private static Func<Change, bool> ById(string value)
    {
        if (int.TryParse(value, CultureInfo.InvariantCulture, out var number)) return c => c.Number == number;
        if (value.Split('~') is [var project, var branch, var id]) return c => c.Project == project && c.Branch == Short(branch) && c.ChangeId == id;
        return value.StartsWith('I') && value.Length > 4
            ? c => c.ChangeId.StartsWith(value, StringComparison.OrdinalIgnoreCase)
            : c => (value.Length >= 7 && c.PatchSets.Exists(p => p.Revision.StartsWith(value, StringComparison.Ordinal)))
                || c.Current.Commit.Message.Contains(value, StringComparison.OrdinalIgnoreCase);
    }

    private static Func<Change, bool> ByLabel(string value)
    {
        var comma = value.IndexOf(',', StringComparison.Ordinal);
        if (comma >= 0) value = value[..comma];
        var known = Labels.All.FirstOrDefault(l => value.StartsWith(l.Name, StringComparison.OrdinalIgnoreCase));
        if (known is null) return _ => false;
        var rest = value[known.Name.Length..];
        var atLeast = rest.StartsWith(">=", StringComparison.Ordinal);
        rest = rest.TrimStart('>', '=');
        var wanted = rest.ToUpperInvariant() switch { "MAX" => known.Max, "MIN" => known.Min, _ => int.TryParse(rest, out var n) ? n : 1 };
        return c => c.VotesOn(c.Current.Number).Any(v => v.Label == known.Name && (atLeast ? v.Value >= wanted : v.Value == wanted));
    }

    private static Func<Change, bool> After(string value)
    {
        var time = Date(value);
        return c => c.Updated >= time;
    }

    private static Func<Change, bool> Before(string value)
    {
        var time = Date(value);
        return c => c.Updated <= time;
    }

    private static Func<Change, bool> AfterMerge(string value)
    {
        var time = Date(value);
        return c => c.Submitted >= time;
    }

    private Func<Change, bool> Older(string value)
    {
        var digits = new string([.. value.TakeWhile(char.IsAsciiDigit)]);
        TimeSpan? unit = value[digits.Length..].Trim() switch
        {
            "s" or "sec" or "second" or "seconds" => TimeSpan.FromSeconds(1),
            "m" or "min" or "minute" or "minutes" => TimeSpan.FromMinutes(1),
            "h" or "hr" or "hour" or "hours" => TimeSpan.FromHours(1),
            "d" or "day" or "days" => TimeSpan.FromDays(1),
            "w" or "week" or "weeks" => TimeSpan.FromDays(7),
            "mon" or "month" or "months" => TimeSpan.FromDays(30),
            "y" or "year" or "years" => TimeSpan.FromDays(365),
            _ => null,
        };
        if (unit is null || !int.TryParse(digits, out var amount)) throw new RefusedException(400, $"Invalid age value: {value}");
        var time = site.Now - (unit.Value * amount);
        return c => c.Updated <= time;
    }

    private static DateTimeOffset Date(string value)
    {
        string[] formats = ["yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss.FFFFFFF", "yyyy-MM-dd HH:mm:ss zzz", "yyyy-MM-dd HH:mm:ss.FFFFFFF zzz"];
        // The clock's own notation has nine digits, two more than .NET counts.
        var dot = value.IndexOf('.', StringComparison.Ordinal);
        var digits = dot < 0 ? 0 : value.Skip(dot + 1).TakeWhile(char.IsAsciiDigit).Count();
        if (digits > 7) value = value.Remove(dot + 8, digits - 7);
        return DateTimeOffset.TryParseExact(value, formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : throw new RefusedException(400, $"Invalid date format: {value}");
    }

    private static string Short(string branch) => branch.StartsWith("refs/heads/", StringComparison.Ordinal) ? branch["refs/heads/".Length..] : branch;

    private static List<string> Words(string text)
    {
        var found = new List<string>();
        var word = new StringBuilder();
        var quote = '\0';
        void End()
        {
            if (word.Length > 0) found.Add(word.ToString());
            word.Clear();
        }
        foreach (var c in text)
        {
            if (quote != '\0' && c == quote) quote = '\0';
            else if (quote != '\0') word.Append(c);
            else if (word.Length > 0 && word[^1] == ':' && c is '"' or '{') quote = c == '{' ? '}' : c;
            else if (c is ' ' or '\t' or '\n') End();
            else if (c is '(' or ')' || (c == '-' && word.Length == 0))
            {
                End();
                found.Add(c.ToString());
            }
            else if (word.Length == 0 && c is '"') quote = c;
            else word.Append(c);
        }
        if (quote != '\0') throw new RefusedException(400, "line 1:0 no viable alternative at character '" + quote + "'");
        End();
        return found;
    }
}
