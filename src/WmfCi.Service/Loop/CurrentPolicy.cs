using WmfCi.Core.Policies;

namespace WmfCi.Service.Loop;

/// <summary>The policy that is in force. It is known once the code review has told who we are; until then nothing is decided.</summary>
public sealed class CurrentPolicy
{
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Policy? _value;

    /// <summary>The policy.</summary>
    /// <exception cref="InvalidOperationException">It is not known yet: wait for <see cref="ReadyAsync"/>.</exception>
    public Policy Value => _value ?? throw new InvalidOperationException("The policy is not known yet.");

    /// <summary>Whether it is known.</summary>
    public bool IsKnown => _value is not null;

    /// <summary>Puts a policy in force.</summary>
    public void Set(Policy policy)
    {
        _value = policy;
        _known.TrySetResult();
    }

    /// <summary>Waits until a policy is in force.</summary>
    public Task ReadyAsync(CancellationToken cancellationToken) => _known.Task.WaitAsync(cancellationToken);
}
