using System.CommandLine;
using System.Net.Sockets;
using Npgsql;
using WmfCi.Config.Sites;
using WmfCi.Service;

namespace WmfCi.Cli.Verbs;

/// <summary><c>wmfci serve</c>: the service.</summary>
internal static class ServeVerb
{
    public static Command Make()
    {
        var config = SiteArgument.Make();
        var roles = new Option<string>("--roles")
        {
            Description = "What this process does: controller, vcs, runner, web, separated by commas.",
            DefaultValueFactory = _ => "controller,vcs,runner,web",
        };
        var command = new Command("serve", "Run the service until it is told to stop.") { config, roles };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (!TryReadRoles(parsed.GetValue(roles)!, out var wanted)) return 2;
            return SiteArgument.Read(parsed.GetValue(config)!) is { } site ? await RunAsync(site, wanted, cancellationToken) : 2;
        });
        return command;
    }

    private static async Task<int> RunAsync(Site site, Roles roles, CancellationToken cancellationToken)
    {
        try
        {
            await using var host = await ServiceHost.StartAsync(new Serving(site, roles, Serving.NewHolder()), _ => { }, cancellationToken);
            Console.WriteLine($"WmfCi serves {site.Url}");
            return await host.WaitAsync(cancellationToken) ? 0 : 1;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Told to stop before it had begun.
            return 0;
        }
        catch (NpgsqlException error)
        {
            await Console.Error.WriteLineAsync($"wmfci: the database: {error.Message}");
            return 1;
        }
        catch (Exception error) when (error is Storage.MigrationException or IOException or UnauthorizedAccessException or ArgumentException or SocketException)
        {
            await Console.Error.WriteLineAsync($"wmfci: {error.Message}");
            return 1;
        }
    }

    private static bool TryReadRoles(string text, out Roles roles)
    {
        roles = Roles.None;
        foreach (var word in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Enum.TryParse<Roles>(word, ignoreCase: true, out var role) || int.TryParse(word, out _))
            {
                Console.Error.WriteLine($"wmfci: '{word}' is no role; the roles are controller, vcs, runner, web.");
                return false;
            }
            roles |= role;
        }
        return roles != Roles.None;
    }
}
