using System.CommandLine;
using System.Globalization;
using Npgsql;
using WmfCi.Core;
using WmfCi.Service;
using WmfCi.Storage;

namespace WmfCi.Cli.Verbs;

/// <summary><c>wmfci quarantine</c>: what was set aside after too many tries, and how it goes on.</summary>
internal static class QuarantineVerb
{
    /// <summary>How many are listed.</summary>
    private const int MaxListed = 200;

    /// <summary>How much of a reason is shown; it may quote what strangers wrote.</summary>
    private const int MaxShown = 2000;

    public static Command Make()
    {
        var command = new Command("quarantine", "Show what was set aside after too many tries, and let it be tried again.");
        command.Subcommands.Add(MakeList());
        command.Subcommands.Add(MakeRelease());
        return command;
    }

    private static Command MakeList()
    {
        var config = SiteArgument.Make();
        var command = new Command("list", "What is set aside, newest first.") { config };
        command.SetAction((parsed, cancellationToken) => WithUpkeepAsync(parsed.GetValue(config)!, async upkeep =>
        {
            foreach (var one in await upkeep.QuarantineAsync(MaxListed, cancellationToken))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{one.Kind} {one.Id} {PlainText.Line(one.Lane, MaxShown)} since {one.Since:u}, {one.Attempts} attempts: {PlainText.Line(one.Reason, MaxShown)}"));
            return 0;
        }));
        return command;
    }

    private static Command MakeRelease()
    {
        var config = SiteArgument.Make();
        var kind = new Argument<string>("KIND") { Description = "event or effect" };
        kind.AcceptOnlyFromAmong("event", "effect");
        var id = new Argument<long>("ID") { Description = "Its number, as listed." };
        var command = new Command("release", "Let one be tried again, with a new count.") { config, kind, id };
        command.SetAction((parsed, cancellationToken) => WithUpkeepAsync(parsed.GetValue(config)!, async upkeep =>
        {
            if (await upkeep.ReleaseAsync(parsed.GetValue(kind)!, parsed.GetValue(id), cancellationToken)) return 0;
            await Console.Error.WriteLineAsync($"wmfci: {parsed.GetValue(kind)} {parsed.GetValue(id)} is not set aside; see `wmfci quarantine list`.");
            return 1;
        }));
        return command;
    }

    private static async Task<int> WithUpkeepAsync(FileInfo config, Func<Upkeep, Task<int>> work)
    {
        if (SiteArgument.Read(config) is not { } site) return 2;
        try
        {
            await using var source = NpgsqlDataSource.Create(site.ConnectionString());
            return await work(new Upkeep(source));
        }
        catch (NpgsqlException error)
        {
            await Console.Error.WriteLineAsync($"wmfci: the database: {error.Message}");
            return 1;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"wmfci: {error.Message}");
            return 1;
        }
    }
}
