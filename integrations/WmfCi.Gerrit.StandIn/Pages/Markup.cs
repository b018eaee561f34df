using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace WmfCi.Gerrit.StandIn.Pages;

/// <summary>HTML whose holes are escaped unless they are HTML themselves.</summary>
internal sealed record Markup(string Html)
{
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);

    public static Markup Empty { get; } = new("");

    public static Markup Of(Handler text) => new(text.ToString());

    public static Markup Join(IEnumerable<Markup> parts) => new(string.Concat(parts.Select(p => p.Html)));

    /// <summary>Text with its web addresses made into links.</summary>
    public static Markup Linked(string text)
    {
        var html = new StringBuilder();
        var at = 0;
        while (at < text.Length)
        {
            var start = NextAddress(text, at);
            html.Append(Encoder.Encode(text[at..start]));
            var end = start;
            while (end < text.Length && !char.IsWhiteSpace(text[end]) && text[end] is not ('<' or '>' or '"' or '\'')) end++;
            while (end > start && text[end - 1] is '.' or ',' or ')' or ';' or ':') end--;
            if (end > start)
            {
                var address = Encoder.Encode(text[start..end]);
                html.Append("<a href=\"").Append(address).Append("\" rel=\"noreferrer\">").Append(address).Append("</a>");
            }
            at = Math.Max(end, start);
        }
        return new Markup(html.ToString());
    }

    private static int NextAddress(string text, int from)
    {
        var http = text.IndexOf("http://", from, StringComparison.Ordinal);
        var https = text.IndexOf("https://", from, StringComparison.Ordinal);
        return http < 0 && https < 0 ? text.Length : http < 0 ? https : https < 0 ? http : Math.Min(http, https);
    }

    [InterpolatedStringHandler]
    internal readonly ref struct Handler
    {
        private readonly StringBuilder html;

        public Handler(int literalLength, int formattedCount) => html = new StringBuilder(literalLength + (formattedCount * 16));

        public void AppendLiteral(string literal) => html.Append(literal);

        public void AppendFormatted(Markup markup) => html.Append(markup.Html);

        public void AppendFormatted<T>(T value) => html.Append(Encoder.Encode(value?.ToString() ?? ""));

        public override string ToString() => html.ToString();
    }
}
