using System.Security.Cryptography;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Running;

/// <summary>Follows the steps' output while they run, one step after another, and remembers what came, so that it can be told whether it is all.</summary>
internal sealed class LogPump(RunnerParts parts, AttemptSpec spec, Telling telling)
{
    private readonly Dictionary<int, StepPhase> _phases = [];
    private readonly Lock _lock = new();
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isOver;

    // Supervisors keep count of all steps' output too, but by what they tell one another where the steps may write.
    private long _told;

    /// <summary>What came of each step's output: its SHA-256, as far as nothing of it is missing.</summary>
    public Dictionary<int, string> Digests { get; } = [];

    /// <summary>Takes note of what the cluster says of the containers.</summary>
    public void Look(AttemptView view)
    {
        if (view.Pod is not { } pod) return;
        lock (_lock)
        {
            for (var number = 1; number <= spec.Stage.Steps.Count; number++)
            {
                if (view.Container(JobPlan.StepName(number))?.State is not { } state || state.Running is null && state.Terminated is null) continue;
                if (!_phases.TryGetValue(number, out var phase)) _phases[number] = phase = new StepPhase(pod.Name());
                if (state.Terminated is not { } ended || phase.Ended.IsCancellationRequested) continue;
                phase.HasFailed = StepEnds.Read(ended) is not { Exit: 0 };
                phase.End(StepEnds.Read(ended)?.LogBytes);
            }
            Move();
        }
    }

    /// <summary>Nothing more will happen: the pump reads what is left, and ends.</summary>
    public void End()
    {
        lock (_lock)
        {
            _isOver = true;
            foreach (var phase in _phases.Values) phase.End(printed: null);
            Move();
        }
    }

    /// <summary>Passes the output on until the last step ended.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var number = 1; number <= spec.Stage.Steps.Count; number++)
        {
            if (await BeganAsync(number, cancellationToken) is not { } phase) return;
            await telling.StepAsync(spec.Stage.Steps[number - 1].Name);
            await FollowAsync(number, phase, cancellationToken);
        }
    }

    // A step that was skipped has a container too; it has nothing to say, and its name would look like work.
    private async Task<StepPhase?> BeganAsync(int number, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task moved;
            lock (_lock)
            {
                if (_phases.TryGetValue(number, out var phase) && !HasFailedBefore(number)) return phase;
                if (_isOver || HasFailedBefore(number)) return null;
                moved = _moved.Task;
            }
            await moved.WaitAsync(cancellationToken);
        }
    }

    private bool HasFailedBefore(int number) => _phases.TryGetValue(number - 1, out var before) && before.HasFailed;

    private async Task FollowAsync(int number, StepPhase phase, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var isWhole = true;
        var log = LogFollower.OfStep(parts.Cluster, new LogSource(phase.Pod, JobPlan.StepName(number)) { MaxBytes = parts.Options.LogBytes - _told }, from: 0);
        lock (_lock) phase.Follow(log);
        await foreach (var piece in log.ReadAsync(phase.Ended.Token, cancellationToken))
        {
            if (piece.Missing > 0)
            {
                isWhole = false;
                await telling.NoteAsync($"{piece.Missing} bytes are missing here for now: the node put them away before they could be read. The complete log comes when the stage has ended.");
            }
            hash.AppendData(piece.Bytes.Span);
            _told += piece.Bytes.Length;
            await telling.OutputAsync(piece.Bytes);
        }
        if (isWhole) Digests[number] = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void Move()
    {
        var moved = _moved;
        _moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        moved.SetResult();
    }

    /// <summary>A step whose container began.</summary>
    private sealed class StepPhase(string pod)
    {
        private LogFollower? _log;
        private long? _printed;

        public string Pod => pod;

        /// <summary>Whether it ended, and not well.</summary>
        public bool HasFailed { get; set; }

        /// <summary>Cancelled when the container has ended.</summary>
        public CancellationTokenSource Ended { get; } = new();

        public void Follow(LogFollower log)
        {
            _log = log;
            _log.Total ??= _printed;
        }

        /// <summary>The container has ended.</summary>
        /// <param name="printed">How much its supervisor says that it printed; null where it did not say.</param>
        public void End(long? printed)
        {
            _printed ??= printed;
            if (_log is not null) _log.Total ??= _printed;
            Ended.Cancel();
        }
    }
}
