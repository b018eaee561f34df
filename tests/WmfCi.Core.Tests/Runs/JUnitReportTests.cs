using System.Globalization;
using System.Text;
using FsCheck.Xunit;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Tests.Runs;

public sealed class JUnitReportTests
{
    private const string Surefire = """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="https://maven.example/report.xsd"
                   name="org.example.CartTest" time="0.12" tests="4" errors="1" skipped="1" failures="1">
          <properties><property name="java.version" value="21"/></properties>
          <testcase name="addsItems" classname="org.example.CartTest" time="0.01"/>
          <testcase name="refusesNegative" classname="org.example.CartTest" time="0.02">
            <failure message="expected: &lt;1&gt; but was: &lt;-1&gt;" type="org.opentest4j.AssertionFailedError"><![CDATA[at org.example.CartTest.refusesNegative(CartTest.java:31)]]></failure>
            <rerunFailure message="again" type="x">trace</rerunFailure>
            <system-out><![CDATA[some output]]></system-out>
          </testcase>
          <testcase name="opens" classname="org.example.CartTest"><error message="no database" type="java.lang.IllegalStateException"/></testcase>
          <testcase name="later" classname="org.example.CartTest"><skipped message="not now"/></testcase>
        </testsuite>
        """;

    private const string Pytest = """
        <?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.04" hostname="w1">
        <testcase classname="tests.test_cart" name="test_add" time="0.001" />
        <testcase classname="tests.test_cart" name="test_price[euro]" time="0.001"><failure message="assert 3 == 4">def test_price():
        &gt;       assert 3 == 4</failure></testcase>
        <testcase classname="tests.test_cart" name="test_slow" time="0.0"><skipped type="pytest.skip" message="slow">here</skipped></testcase>
        </testsuite></testsuites>
        """;

    private const string PhpUnit = """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="phpunit.xml" tests="2"><testsuite name="Unit" tests="2"><testsuite name="Example\CartTest" file="CartTest.php" tests="2">
            <testcase name="testAdd" file="CartTest.php" line="9" class="Example\CartTest" classname="Example.CartTest" assertions="1" time="0.001"/>
            <testsuite name="Example\CartTest::testPrice" tests="1">
              <testcase name="testPrice with data set #0" class="Example\CartTest" classname="Example.CartTest"><failure type="PHPUnit\Framework\ExpectationFailedException">
        Example\CartTest::testPrice
        Failed asserting that 3 matches 4.</failure></testcase>
            </testsuite>
          </testsuite></testsuite></testsuite>
        </testsuites>
        """;

    private const string Go = """
        <testsuites tests="2" failures="1"><testsuite tests="2" failures="1" time="0.003" name="example.org/cart">
        <testcase classname="example.org/cart" name="TestAdd" time="0.000"></testcase>
        <testcase classname="example.org/cart" name="TestPrice/euro" time="0.001"><failure message="Failed" type="">cart_test.go:12: got 3, want 4</failure></testcase>
        </testsuite></testsuites>
        """;

    private const string Jest = """
        <testsuites name="jest tests" tests="2" failures="1">
          <testsuite name="cart" errors="0" failures="1" skipped="0"><testcase classname="cart adds" name="cart adds" time="0.003"></testcase>
          <testcase classname="cart prices" name="cart prices" time="0.001"><failure>Error: expect(received).toBe(expected)
            at Object.toBe (cart.test.js:7:12)</failure></testcase></testsuite>
        </testsuites>
        """;

    [Fact]
    public void Surefire_is_read() => Understood(Surefire).ShouldBe(new TestSummary(4, 2, 1,
    [
        new("org.example.CartTest.refusesNegative", "expected: <1> but was: <-1>\nat org.example.CartTest.refusesNegative(CartTest.java:31)"),
        new("org.example.CartTest.opens", "no database"),
    ]));

    [Fact]
    public void Pytest_is_read() => Understood(Pytest).ShouldBe(new TestSummary(3, 1, 1,
        [new("tests.test_cart.test_price[euro]", "assert 3 == 4\ndef test_price():\n>       assert 3 == 4")]));

    [Fact]
    public void PhpUnit_with_suites_in_suites_is_read() => Understood(PhpUnit).ShouldBe(new TestSummary(2, 1, 0,
        [new("Example.CartTest.testPrice with data set #0", "Example\\CartTest::testPrice\nFailed asserting that 3 matches 4.")]));

    [Fact]
    public void Go_is_read() => Understood(Go).ShouldBe(new TestSummary(2, 1, 0, [new("example.org/cart.TestPrice/euro", "Failed\ncart_test.go:12: got 3, want 4")]));

    [Fact]
    public void Jest_that_says_the_name_twice_is_read() => Understood(Jest).ShouldBe(new TestSummary(2, 1, 0,
        [new("cart prices", "Error: expect(received).toBe(expected)\n    at Object.toBe (cart.test.js:7:12)")]));

    [Fact]
    public void Missing_attributes_harm_nothing() => Understood("<testsuite><testcase><failure/></testcase><testcase classname='A'><error/></testcase><testcase/></testsuite>")
        .ShouldBe(new TestSummary(3, 2, 0, [new("(no name)", ""), new("A", "")]));

    [Fact]
    public void A_suite_that_broke_before_its_first_case_counts_as_a_failure() =>
        Understood("<testsuites><testsuite name='db'><error message='no server'/></testsuite></testsuites>").ShouldBe(new TestSummary(1, 1, 0, [new("db", "no server")]));

    [Fact]
    public void A_case_with_a_failure_and_an_error_failed_once() =>
        Understood("<testsuite><testcase name='a'><failure message='first'/><error message='second'/><skipped/></testcase></testsuite>").ShouldBe(new TestSummary(1, 1, 0, [new("a", "first")]));

    [Fact]
    public void A_report_without_cases_is_a_report() => Understood("<testsuites/>").ShouldBe(new TestSummary(0, 0, 0, []));

    [Fact]
    public void Control_characters_become_harmless() =>
        Understood("<testsuite><testcase name='a&#x1B;[31mred&#10;b'><failure message='x&#x202E;y'/></testcase></testsuite>").FirstFailed.ShouldBe([new("ared b", "x\uFFFDy")]);

    [Fact]
    public void Only_the_first_failures_are_named_and_messages_are_cut()
    {
        var cases = string.Concat(Enumerable.Range(1, 100).Select(number => $"<testcase name='t{number}'><failure>{new string('x', 5000)}</failure></testcase>"));
        var summary = Understood($"<testsuite>{cases}</testsuite>");
        (summary.Total, summary.Failed, summary.FirstFailed.Count).ShouldBe((100, 100, TestSummary.MaxFailedShown));
        summary.FirstFailed[0].Message.Length.ShouldBe(JUnitReport.MaxMessageLength + 1);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("not xml", 1)]
    [InlineData("<testsuite>\n<testcase>\n</testsuite>", 3)]
    [InlineData("<testsuite>\n<testcase name='a'>", 2)]
    [InlineData("\n<html><body/></html>", 2)]
    [InlineData("<?xml version='1.0' encoding='klingon'?><testsuite/>", 1)]
    [InlineData("<!DOCTYPE t [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>\n<testsuite><testcase name='&a;'/></testsuite>", 0)]
    public void What_is_no_report_is_refused_with_its_line(string text, int line)
    {
        var refused = Read(text).ShouldBeOfType<JUnitReading.Refused>();
        refused.Problem.ShouldNotBeEmpty();
        refused.Line.ShouldBe(line);
    }

    [Theory]
    [InlineData("4C6FA794")] // EBCDIC
    [InlineData("0000FEFF")]
    [InlineData("FFFE0000")]
    [InlineData("0000003C")]
    [InlineData("FEFF")]
    [InlineData("EFBBBF")]
    [InlineData("C0AF")]
    public void The_beginnings_of_odd_encodings_are_refused(string bytes) =>
        JUnitReport.Read(new MemoryStream(Convert.FromHexString(bytes))).ShouldBeOfType<JUnitReading.Refused>();

    [Fact]
    public void A_document_type_is_refused_in_plain_words() =>
        Read("<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite/>").ShouldBe(new JUnitReading.Refused("It has a document type definition, which is not read.", 0));

    [Fact]
    public void Too_deep_too_many_and_too_large_are_refused()
    {
        string Repeat(string text, int count) => new StringBuilder().Insert(0, text, count).ToString();
        Read(Repeat("<testsuite>", JUnitReport.MaxDepth + 2)).ShouldBeOfType<JUnitReading.Refused>().Problem.ShouldBe("Its elements are nested deeper than 32.");
        Read($"<testsuite>{Repeat("<testcase/>", JUnitReport.MaxCases + 1)}</testsuite>").ShouldBeOfType<JUnitReading.Refused>().Problem.ShouldBe("It has more than 200000 test cases.");
        Read($"<testsuite><system-out>{new string('x', JUnitReport.MaxCharacters)}</system-out></testsuite>").ShouldBeOfType<JUnitReading.Refused>();
    }

    [Fact]
    public void Several_reports_are_one_summary_in_their_order()
    {
        var merged = JUnitReport.Merge([Understood(Surefire), Understood(Pytest), Understood(Go)]);
        (merged.Total, merged.Failed, merged.Skipped).ShouldBe((9, 4, 2));
        merged.FirstFailed.Select(test => test.Name).ShouldBe(
            ["org.example.CartTest.refusesNegative", "org.example.CartTest.opens", "tests.test_cart.test_price[euro]", "example.org/cart.TestPrice/euro"]);
        var many = new TestSummary(30, 30, 0, Enumerable.Range(0, 20).Select(number => new FailedTest(number.ToString(CultureInfo.InvariantCulture), "")).ToValueArray());
        JUnitReport.Merge([many, many]).FirstFailed.ShouldBe(many.FirstFailed);
        JUnitReport.Merge([]).ShouldBe(new TestSummary(0, 0, 0, []));
    }

    [Property(MaxTest = 300)]
    public void No_bytes_make_it_throw(byte[] noise, int at)
    {
        var report = Encoding.UTF8.GetBytes(Surefire);
        noise.CopyTo(report, (int)((uint)at % (uint)(report.Length - Math.Min(noise.Length, report.Length - 1))));
        JUnitReport.Read(new MemoryStream(report)).ShouldNotBeNull();
        JUnitReport.Read(new MemoryStream(noise)).ShouldBeOfType<JUnitReading.Refused>();
    }

    private static JUnitReading Read(string text) => JUnitReport.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)));

    private static TestSummary Understood(string text) => Read(text.ReplaceLineEndings("\n")).ShouldBeOfType<JUnitReading.Understood>().Summary;
}
