using Refit;

namespace WmfCi.Gerrit.Rest;

/// <summary>The calls of Gerrit's REST API that are used, and no others. Paths in the comments are pages of Gerrit's documentation.</summary>
internal interface IGerritApi
{
    /// <summary><c>rest-api-accounts.html#get-account</c></summary>
    [Get("/a/accounts/self")]
    Task<AccountInfo> ReadSelfAsync(CancellationToken cancellationToken);

    /// <summary><c>rest-api-groups.html#group-members</c>, those of included groups too.</summary>
    /// <param name="group">The group's name, escaped.</param>
    /// <param name="cancellationToken">Gives up.</param>
    [Get("/a/groups/{group}/members/?recursive")]
    Task<AccountInfo[]> ReadGroupMembersAsync([Encoded] string group, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#get-change-detail</c>: labels with all votes, reviewers, messages and whole accounts; the current revision, without the costly line counts.</summary>
    /// <param name="change"><see cref="GerritPath.Of(Core.Changes.ChangeId)"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    [Get("/a/changes/{change}/detail?o=CURRENT_REVISION&o=SKIP_DIFFSTAT")]
    Task<ChangeInfo> ReadDetailAsync([Encoded] string change, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#get-change</c>: what is current and which votes we may give.</summary>
    [Get("/a/changes/{change}?o=CURRENT_REVISION&o=DETAILED_LABELS&o=SKIP_DIFFSTAT")]
    Task<ChangeState> ReadStateAsync([Encoded] string change, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#list-change-comments</c>: published comments by file, <c>/PATCHSET_LEVEL</c> among them.</summary>
    [Get("/a/changes/{change}/comments")]
    Task<Dictionary<string, CommentInfo[]>> ReadCommentsAsync([Encoded] string change, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#list-messages</c></summary>
    [Get("/a/changes/{change}/messages")]
    Task<MessageInfo[]> ReadMessagesAsync([Encoded] string change, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#list-files</c>: the files that a patch set changes.</summary>
    [Get("/a/changes/{change}/revisions/{revision}/files")]
    Task<Dictionary<string, FileInfo>> ReadFilesAsync([Encoded] string change, string revision, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#set-review</c></summary>
    [Post("/a/changes/{change}/revisions/{revision}/review")]
    Task<ReviewResult> PostReviewAsync([Encoded] string change, string revision, [Body] ReviewInput review, CancellationToken cancellationToken);

    /// <summary><c>rest-api-changes.html#query-changes</c>: newest first.</summary>
    [Get("/a/changes/?o=SKIP_DIFFSTAT")]
    Task<QueriedChange[]> QueryAsync([AliasAs("q")] string query, [AliasAs("n")] int limit, [AliasAs("S")] int skip, CancellationToken cancellationToken);

    /// <summary><c>rest-api-projects.html#get-config</c></summary>
    /// <param name="project"><see cref="GerritPath.OfProject"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    [Get("/a/projects/{project}/config")]
    Task<ProjectConfig> ReadProjectConfigAsync([Encoded] string project, CancellationToken cancellationToken);
}
