using System.Text;
using System.Xml;

namespace WmfCi.Core.Runs;

/// <summary>What came of reading a report. A report that cannot be read fails nothing: what the steps exited with decides.</summary>
public abstract record JUnitReading
{
    private JUnitReading()
    {
    }

    /// <summary>It was read to its end.</summary>
    /// <param name="Summary">What it says.</param>
    public sealed record Understood(TestSummary Summary) : JUnitReading;

    /// <summary>It was not read.</summary>
    /// <param name="Problem">What is wrong with it, one sentence.</param>
    /// <param name="Line">Where, counted from 1; 0 where no place can be named.</param>
    public sealed record Refused(string Problem, int Line) : JUnitReading;
}

/// <summary>
/// Reads JUnit XML, a format without a standard: <c>testsuites</c> or <c>testsuite</c> as the root, suites in suites (PHPUnit, Jest), attributes that may be missing.
/// The counts in attributes of suites are passed over, since tools disagree about them; the cases are counted.
/// </summary>
public static class JUnitReport
{
    /// <summary>How many characters a report may have.</summary>
    public const int MaxCharacters = 20_000_000;

    /// <summary>How deep its elements may be nested.</summary>
    public const int MaxDepth = 32;

    /// <summary>How many cases it may have.</summary>
    public const int MaxCases = 200_000;

    /// <summary>How many characters of a case's name are kept.</summary>
    public const int MaxNameLength = 300;

    /// <summary>How many characters of a failure's message are kept.</summary>
    public const int MaxMessageLength = 1000;

    /// <summary>Reads a report. The stream may hold anything; only its own errors are thrown.</summary>
    public static JUnitReading Read(Stream report)
    {
        var settings = new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            MaxCharactersInDocument = MaxCharacters,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            IgnoreWhitespace = true,
            // Programs print escape characters, and their reporters let them through.
            CheckCharacters = false,
        };
        try
        {
            // Even this looks at the first bytes, to know the encoding.
            using var reader = XmlReader.Create(report, settings);
            return Count(reader);
        }
        catch (XmlException broken)
        {
            // The reader's own words about this are for programmers.
            var problem = broken.Message.Contains("DTD", StringComparison.Ordinal) ? "It has a document type definition, which is not read." : $"It is not XML: {broken.Message}";
            return new JUnitReading.Refused(PlainText.Line(problem, MaxMessageLength), broken.LineNumber);
        }
        catch (Exception odd) when (odd is ArgumentException or NotSupportedException)
        {
            // An encoding that does not exist.
            return new JUnitReading.Refused(PlainText.Line($"It cannot be decoded: {odd.Message}", MaxMessageLength), 0);
        }
    }

    /// <summary>What several reports say together, in their order.</summary>
    public static TestSummary Merge(IEnumerable<TestSummary> summaries) => summaries.Aggregate(
        new TestSummary(0, 0, 0, []),
        (sum, next) => new TestSummary(
            sum.Total + next.Total,
            sum.Failed + next.Failed,
            sum.Skipped + next.Skipped,
            sum.FirstFailed.Concat(next.FirstFailed).Take(TestSummary.MaxFailedShown).ToValueArray()));

    private static JUnitReading Count(XmlReader reader)
    {
        var tally = new Tally();
        while (reader.Read())
        {
            if (reader.Depth > MaxDepth) return new JUnitReading.Refused($"Its elements are nested deeper than {MaxDepth}.", LineOf(reader));
            if (reader is { NodeType: XmlNodeType.Element, Depth: 0 } && reader.LocalName is not ("testsuites" or "testsuite" or "testcase"))
                return new JUnitReading.Refused(PlainText.Line($"It is no JUnit report: it begins with '{reader.LocalName}', not with 'testsuites' or 'testsuite'.", MaxMessageLength), LineOf(reader));
            tally.Take(reader);
            if (tally.Total > MaxCases) return new JUnitReading.Refused($"It has more than {MaxCases} test cases.", LineOf(reader));
        }

        return new JUnitReading.Understood(tally.ToSummary());
    }

    private static int LineOf(XmlReader reader) => reader is IXmlLineInfo place && place.HasLineInfo() ? place.LineNumber : 0;

    /// <summary>What was counted so far, and the case being read.</summary>
    private sealed class Tally
    {
        private readonly List<FailedTest> _named = [];
        private readonly StringBuilder _text = new();
        private string _suite = "";
        private string? _case;
        private string? _message;
        private bool _isInFailure;
        private bool _isSkipped;
        private int _failed;
        private int _skipped;

        public int Total { get; private set; }

        public TestSummary ToSummary() => new(Total, _failed, _skipped, _named.ToValueArray());

        public void Take(XmlReader node)
        {
            switch (node.NodeType)
            {
                case XmlNodeType.Element:
                    Begin(node);
                    if (node.IsEmptyElement) End(node.LocalName);
                    break;
                case XmlNodeType.EndElement:
                    End(node.LocalName);
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA when _isInFailure && _text.Length < MaxMessageLength:
                    _text.Append(node.Value.AsSpan(0, Math.Min(node.Value.Length, MaxMessageLength + 1)));
                    break;
            }
        }

        private void Begin(XmlReader element)
        {
            switch (element.LocalName)
            {
                case "testsuite":
                    _suite = element.GetAttribute("name") ?? "";
                    break;
                case "testcase":
                    (_case, _message, _isSkipped) = (NameOf(element), null, element.GetAttribute("status") is "skipped" or "notrun" or "disabled");
                    Total++;
                    break;
                case "failure" or "error" when !_isInFailure:
                    // A suite that broke before its first case.
                    if (_case is null) Total++;
                    _isInFailure = true;
                    _text.Clear().Append(element.GetAttribute("message"));
                    if (_text.Length > 0) _text.Append('\n');
                    break;
                case "skipped" when _case is not null:
                    _isSkipped = true;
                    break;
            }
        }

        private void End(string element)
        {
            switch (element)
            {
                case "failure" or "error" when _isInFailure:
                    _isInFailure = false;
                    var message = PlainText.Lines(_text.ToString().Trim(), MaxMessageLength);
                    if (_case is null) Fail(_suite.Length > 0 ? _suite : "(no name)", message);
                    else _message ??= message;
                    break;
                case "testcase" when _case is not null:
                    if (_message is not null) Fail(_case, _message);
                    else if (_isSkipped) _skipped++;
                    _case = null;
                    break;
            }
        }

        private void Fail(string name, string message)
        {
            _failed++;
            if (_named.Count < TestSummary.MaxFailedShown) _named.Add(new FailedTest(PlainText.Line(name, MaxNameLength), message));
        }

        private static string NameOf(XmlReader element)
        {
            var (type, name) = (element.GetAttribute("classname") ?? "", element.GetAttribute("name") ?? "");
            if (type.Length == 0 || name.StartsWith(type, StringComparison.Ordinal)) return name.Length > 0 ? name : "(no name)";
            return name.Length > 0 ? $"{type}.{name}" : type;
        }
    }
}
