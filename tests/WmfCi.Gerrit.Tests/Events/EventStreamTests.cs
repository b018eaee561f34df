using System.Text;
using System.Threading.Channels;
using WmfCi.Gerrit.Events;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Tests.Events;

/// <summary>The stream, with a script in the place of <c>ssh</c>.</summary>
public sealed class EventStreamTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-stream-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_line_arrives_while_the_connection_stays_open_and_the_process_dies_with_the_enumeration()
    {
        var pid = Path.Combine(_folder, "pid");
        using var review = Review($"echo $$ >'{pid}'; echo '{{\"type\":\"x\"}}'; exec sleep 600");

        await foreach (var line in review.ListenAsync(Cancelled))
        {
            line.ShouldBe("{\"type\":\"x\"}");
            break;
        }

        Directory.Exists("/proc/" + (await File.ReadAllTextAsync(pid, Cancelled)).Trim()).ShouldBeFalse("the process was left behind, or not reaped");
    }

    [Fact]
    public async Task Giving_up_ends_the_process_too()
    {
        var pid = Path.Combine(_folder, "pid");
        using var review = Review($"echo $$ >'{pid}'; echo line; exec sleep 600");
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);

        await Should.ThrowAsync<OperationCanceledException>(async () =>
        {
            await foreach (var line in review.ListenAsync(end.Token)) await end.CancelAsync();
        });

        Directory.Exists("/proc/" + (await File.ReadAllTextAsync(pid, Cancelled)).Trim()).ShouldBeFalse();
    }

    [Fact]
    public async Task A_broken_connection_ends_with_what_ssh_said_last_and_after_all_whole_lines()
    {
        using var review = Review("printf 'one\\ntwo\\n{\"cut'; echo first >&2; echo 'Connection to gerrit closed by remote host.' >&2; exit 255");
        var lines = new List<string>();

        var error = await Should.ThrowAsync<CodeReviewException>(async () =>
        {
            await foreach (var line in review.ListenAsync(Cancelled)) lines.Add(line);
        });

        lines.ShouldBe(["one", "two"]);
        (error.Failure, error.Message).ShouldBe((FailureClass.Transient, "The event stream broke: Connection to gerrit closed by remote host."));
    }

    [Fact]
    public async Task A_flood_of_error_text_is_bounded()
    {
        // Nothing in it ends early: a program whose reader goes away would have a word of its own, some time.
        using var review = Review("head -c 5000000 /dev/zero | tr '\\0' n >&2; echo >&2; echo 'the end' >&2; exit 255");

        var error = await Should.ThrowAsync<CodeReviewException>(async () =>
        {
            await foreach (var line in review.ListenAsync(Cancelled)) throw new InvalidOperationException(line);
        });

        error.Message.ShouldBe("The event stream broke: the end");
    }

    [Fact]
    public async Task A_program_that_is_not_there_says_what_to_install()
    {
        using var review = new GerritCodeReview(Options() with { SshProgram = Path.Combine(_folder, "none") }, TimeProvider.System);

        var error = await Should.ThrowAsync<CodeReviewException>(async () =>
        {
            await foreach (var line in review.ListenAsync(Cancelled)) throw new InvalidOperationException(line);
        });

        error.Failure.ShouldBe(FailureClass.Permanent);
        error.Message.ShouldContain("install the OpenSSH client");
    }

    [Fact]
    public async Task Ssh_is_told_everything_and_asks_nothing()
    {
        using var review = Review("printf '%s\\n' \"$@\"; exec sleep 600");
        var arguments = new List<string>();

        await foreach (var argument in review.ListenAsync(Cancelled))
        {
            arguments.Add(argument);
            if (argument == "stream-events") break;
        }

        string.Join(' ', arguments).ShouldBe($"-F none -T -p 29418 -i {_folder}/script -o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey -o BatchMode=yes "
            + "-o UserKnownHostsFile=\"/keys/50%% known hosts\" -o GlobalKnownHostsFile=none -o StrictHostKeyChecking=yes -o UpdateHostKeys=no -o ServerAliveInterval=15 -o ServerAliveCountMax=3 "
            + "-o ConnectTimeout=10 -o ClearAllForwardings=yes -o LogLevel=ERROR -- wmfci@gerrit.example gerrit stream-events");
    }

    [Theory]
    [InlineData("stream events not permitted\n", 1, FailureClass.Permanent, "\"Stream Events\"")]
    [InlineData("wmfci@localhost: Permission denied (publickey).\r\n", 255, FailureClass.Permanent, "public key")]
    [InlineData("@@@\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key verification failed.\n", 255, FailureClass.Permanent, "known-hosts")]
    [InlineData("No ED25519 host key is known for [x]:29418 and you have requested strict checking.\nHost key verification failed.\n", 255, FailureClass.Permanent, "known-hosts")]
    [InlineData("command-line: line 0: Bad configuration option: x\n", 255, FailureClass.Permanent, "ssh settings")]
    [InlineData("ssh: connect to host x port 29418: Connection refused\n", 255, FailureClass.Transient, "Connection refused")]
    [InlineData("ssh: connect to host x port 29418: Connection timed out\n", 255, FailureClass.Transient, "timed out")]
    [InlineData("ssh: Could not resolve hostname x: Name or service not known\n", 255, FailureClass.Transient, "resolve")]
    [InlineData("Timeout, server x not responding.\n", 255, FailureClass.Transient, "not responding")]
    [InlineData("", 0, FailureClass.Transient, "exited with 0")]
    [InlineData("\n \n", 255, FailureClass.Transient, "exited with 255")]
    public void The_last_error_line_says_whether_to_come_back(string errors, int exitCode, FailureClass failure, string says)
    {
        var error = EventStream.Ended(errors, exitCode);

        error.Failure.ShouldBe(failure);
        error.Message.ShouldContain(says);
    }

    [Fact]
    public async Task A_line_that_is_too_long_leaves_a_mark_and_harms_none_after_it()
    {
        var longest = new string('x', EventStream.MaxLineBytes);

        (await LinesAsync("before\n" + longest + "\n" + longest + "y\n" + longest + longest + longest + "\nafter\n"))
            .ShouldBe(["before", longest, StreamEvents.TooLongLine, StreamEvents.TooLongLine, "after"]);
    }

    [Fact]
    public async Task Empty_lines_and_half_ones_are_nothing() => (await LinesAsync("\n\none\n\ntwo")).ShouldBe(["one"]);

    [Fact]
    public async Task Bytes_that_are_no_text_are_still_a_line()
    {
        var lines = await LinesAsync([0xff, 0xfe, (byte)'\n']);

        StreamEvents.Understand(lines.ShouldHaveSingleItem()).Type.ShouldBe("malformed");
    }

    private static Task<List<string>> LinesAsync(string text) => LinesAsync(Encoding.UTF8.GetBytes(text));

    private static async Task<List<string>> LinesAsync(byte[] bytes)
    {
        var lines = Channel.CreateUnbounded<string>();
        using var stream = new MemoryStream(bytes);
        await EventStream.ReadLinesAsync(stream, lines.Writer, Cancelled);
        lines.Writer.Complete();
        return await lines.Reader.ReadAllAsync(Cancelled).ToListAsync(Cancelled);
    }

    private static GerritOptions Options() => new()
    {
        Url = new Uri("http://gerrit.example/"),
        User = "wmfci",
        PasswordFile = "/nowhere",
        SshHost = "gerrit.example",
        SshKeyFile = "/nowhere",
        KnownHostsFile = "/keys/50% known hosts",
    };

    private GerritCodeReview Review(string script)
    {
        // The program that is started is one that nobody writes to: a script just written may be "busy" while another test forks.
        var file = Path.Combine(_folder, "script");
        File.WriteAllText(file, script + "\n");
        return new GerritCodeReview(Options() with { SshProgram = Path.Combine(AppContext.BaseDirectory, "data", "fake-ssh"), SshKeyFile = file }, TimeProvider.System);
    }
}
