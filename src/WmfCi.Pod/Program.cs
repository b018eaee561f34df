using WmfCi.Pod;
using WmfCi.Pod.Exchanges;
using WmfCi.Pod.Steps;

var place = new PodPlace();
switch (args)
{
    case ["fetch"]:
        return await TrustedContainer.RunAsync(place, async stop =>
        {
            using var exchange = new Exchange(ExchangeAccess.Read(place, Environment.GetEnvironmentVariable), TimeProvider.System);
            await new FetchContainer(place, exchange, TimeProvider.System).RunAsync(Console.Out, stop);
        });
    case ["collect"]:
        return await TrustedContainer.RunAsync(place, async stop =>
        {
            using var exchange = new Exchange(ExchangeAccess.Read(place, Environment.GetEnvironmentVariable), TimeProvider.System);
            await new CollectContainer(place, exchange, TimeProvider.System).RunAsync(stop);
        });
    case ["step", var number] when int.TryParse(number, out var step) && step > 0:
        return await StepContainer.RunAsync(place, step);
    case ["probe", var file]:
        return await Probe.RunAsync(file, Console.Out);
    case [Entrance.Word, .. var rest]:
        return Entrance.Enter(rest);
    default:
        Console.Error.WriteLine("Usage: wmfci-pod fetch | step NUMBER | collect | probe FILE\nIt runs in the pods of stages, and wants their folders and variables.");
        return 2;
}
