using CliWrap;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Service.Pages;

namespace WmfCi.Service.Tests.Pages;

/// <summary>Pictures of every page, for people to look at: <c>-explicit only -class '*Screenshots'</c>, with <c>WMFCI_SCREENSHOTS</c> naming a folder.</summary>
public sealed class Screenshots
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Every_page_is_pictured()
    {
        var folder = Environment.GetEnvironmentVariable("WMFCI_SCREENSHOTS");
        Assert.SkipWhen(folder is null, "set WMFCI_SCREENSHOTS to a folder");
        Assert.SkipUnless(File.Exists("/usr/bin/chromium"), "install chromium");
        await using var host = await PageHost.StartAsync(new PageOptions { CodeReviewUrl = "https://review.example.org", Capacity = _ => ValueTask.FromResult<Capacity?>(new Capacity(3, 8)) });
        await FillAsync(host);
        (string Name, string Path)[] pages =
        [
            ("run", "/runs/118"), ("overview", "/"), ("stage", "/runs/118/commit"), ("running", "/runs/121"), ("passed", "/runs/117"), ("live", "/runs/121/acceptance"),
            ("project", "/projects/mediawiki/extensions/Cite"), ("change", "/changes/1042/mediawiki/extensions/Cite"), ("quarantine", "/quarantine"), ("missing", "/runs/1"), ("mistakes", "/runs/116"),
        ];
        foreach (var (name, path) in pages)
        {
            await ShootAsync(host, path, $"{folder}/{name}.png", "1280,1000", dark: false);
            await ShootAsync(host, path, $"{folder}/{name}-dark.png", "1280,1000", dark: true);
            await ShootAsync(host, path, $"{folder}/{name}-phone.png", "390,1400", dark: name is "run" or "live");
        }
    }

    private static async Task FillAsync(PageHost host)
    {
        string[] subjects = ["Drop support for the old hook names", "Localisation updates from translatewiki.net", "Do not count hidden revisions twice", "Refuse empty titles early, and say why", "Bump the parser to 0.21"];
        for (var id = 90; id < 116; id++)
            await host.AddAsync((id % 5 == 0 ? Sample.Failed(id) with { Subject = subjects[id % 5] } : Sample.Passed(id) with { Subject = subjects[id % 5] })
                .Of(id % 3 == 0 ? "operations/puppet" : "mediawiki/core", 900 + id).At(TimeSpan.FromMinutes((119 - id) * (119 - id))));
        await host.AddAsync(Sample.Run(116) with
        {
            Result = RunResult.ConfigError,
            Finished = PageHost.Now,
            Subject = "Try the new image",
            Mistakes = [
                new(".pipeline/config.yaml", 12, 5, "`imagee` is not known.", "Did you mean `image`? For example: image: docker-registry.example.org/dev/bookworm:1.0"),
                new(".pipeline/config.yaml", 19, 14, "`timeout` must be a duration.", "Write a number with a unit, such as `10m`.")],
        });
        await host.AddAsync(Sample.Passed(117).At(TimeSpan.FromMinutes(42)));
        await host.AddAsync(Sample.Failed(118));
        await host.AddAsync(Sample.Running(121) with { Subject = "Teach the reference list to fold" });
        await host.AddAsync(Sample.Run(122, "Remove the unused compatibility layer").Of("mediawiki/core", 1050).At(TimeSpan.FromSeconds(20)));
        var failed = new AttemptId(new RunId(118), "commit", 2);
        await host.CloseLogAsync(failed, Log);
        await host.LeaveAsync(failed, ("build/logs/junit.xml", new string('x', 48123)), ("build/coverage/clover.xml", new string('x', 912345)), ("build/cite.tar.gz", new string('x', 2345678)));
        await StagePageTests.AppendAsync(host, new AttemptId(new RunId(121), "acceptance", 1), Log[..900], 200);
        await host.ExecuteAsync("insert into effects (key, lane, pool, body, state, attempts, reason) values ('a', 'change/mediawiki/extensions/Cite~1042', 'review', '{}', 2, 5, 'The code review answered 409: the change is closed.')");
    }

    private const string Log =
        "\e[36m$ composer install --no-progress\e[0m\nInstalling dependencies from lock file (including require-dev)\nVerifying lock file contents can be installed on current platform.\n"
        + "Package operations: \e[32m43 installs\e[0m, 0 updates, 0 removals\n  - Installing \e[32mwikimedia/at-ease\e[39m (\e[33mv3.0.0\e[39m): Extracting archive\n  - Installing \e[32mmediawiki/mediawiki-codesniffer\e[39m (\e[33mv45.0.0\e[39m): Extracting archive\n"
        + "Generating optimized autoload files\n\e[36m$ composer test\e[0m\n\e[90m> parallel-lint . --exclude vendor\e[0m\nPHP 8.1.2 | 10 parallel jobs\n............................................................ 60/62 (96 %)\n..                                                           62/62 (100 %)\n\n"
        + "\e[90m> phpunit\e[0m\nPHPUnit 9.6.19 by Sebastian Bergmann and contributors.\n\n10%\r40%\r...............................................................  63 / 412 ( 15%)\n............................................................... 126 / 412 ( 30%)\n..............\e[41;37mF\e[0m.....\e[41;37mE\e[0m......SSSSSS......................... 189 / 412 ( 45%)\n"
        + "............................................................... 412 / 412 (100%)\n\nTime: 01:12.418, Memory: 214.50 MB\n\nThere was 1 error:\n\n1) \e[1mCiteTest::testEmptyGroupIsRefused\e[0m\nError: Call to a member function getName() on null\n\n/workspace/src/Cite.php:311\n\n"
        + "There was 1 failure:\n\n1) \e[1mCiteTest::testReferencesAreNumberedInOrder\e[0m\nFailed asserting that '[2]' matches expected '[1]'.\n\n/workspace/tests/phpunit/CiteTest.php:118\n\n\e[37;41mERRORS!\e[0m\n\e[37;41mTests: 412, Assertions: 1893, Errors: 1, Failures: 1, Skipped: 6.\e[0m\n"
        + "Script phpunit handling the test event returned with error code 1\n";

    // Without a screen (headless) a window may be as narrow as a phone.
    private static async Task ShootAsync(PageHost host, string path, string file, string size, bool dark)
    {
        using var profile = new TempFolder();
        string[] arguments =
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            $"--user-data-dir={profile.Path}", $"--screenshot={file}", $"--window-size={size}", $"--blink-settings=preferredColorScheme={(dark ? 0 : 1)}",
            new Uri(host.Url, path).ToString(),
        ];
        await Cli.Wrap("/usr/bin/chromium").WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteAsync(Cancel);
        File.Exists(file).ShouldBeTrue(file);
    }
}
