//! Which commands a client may send at all: whole domains that are about pages only, and by name those of the domains that also reach
//! further. What Chromium adds to the latter is refused until somebody has looked at it.

/// Domains that are about pages, and end with them.
const DOMAINS: [&str; 33] = [
    "Accessibility",
    "Animation",
    "Audits",
    "Autofill",
    "CSS",
    "CacheStorage",
    "Console",
    "DOMDebugger",
    "DOMSnapshot",
    "DOMStorage",
    "Debugger",
    "DeviceOrientation",
    "Emulation",
    "EventBreakpoints",
    "FedCm",
    "Fetch",
    "HeapProfiler",
    "IO",
    "IndexedDB",
    "Inspector",
    "Log",
    "Media",
    "Overlay",
    "Performance",
    "PerformanceTimeline",
    "Preload",
    "Profiler",
    "Runtime",
    "Schema",
    "Security",
    "ServiceWorker",
    "WebAudio",
    "WebAuthn",
];

/// The others, and what of each is to be had. What is not here reaches processes, files, sockets and the memory of this machine, carries
/// messages within messages (which would pass unseen), or hands Chromium bytes that it takes for its own (code that is compiled already,
/// recorded pictures).
const COMMANDS: [(&str, &str); 10] = [
    (
        "Browser",
        "close getVersion getWindowBounds getWindowForTarget setWindowBounds setContentsSize grantPermissions resetPermissions \
         setPermission getHistogram getHistograms setDownloadBehavior",
    ),
    (
        "DOM",
        "collectClassNamesFromSubtree copyTo describeNode disable discardSearchResults enable focus forceShowPopover getAnchorElement \
         getAttributes getBoxModel getContainerForNode getContentQuads getDetachedDomNodes getDocument getElementByRelation \
         getFlattenedDocument getFrameOwner getNodeForLocation getNodeStackTraces getNodesForSubtreeByStyle getOuterHTML \
         getQueryingDescendantsForContainer getRelayoutBoundary getSearchResults getTopLayerElements hideHighlight highlightNode \
         highlightRect markUndoableState moveTo performSearch pushNodeByPathToFrontend pushNodesByBackendIdsToFrontend querySelector \
         querySelectorAll redo removeAttribute removeNode requestChildNodes requestNode resolveNode scrollIntoViewIfNeeded \
         setAttributeValue setAttributesAsText setInspectedNode setNodeName setNodeStackTracesEnabled setNodeValue setOuterHTML undo",
    ),
    (
        "Input",
        "cancelDragging dispatchDragEvent dispatchKeyEvent dispatchMouseEvent dispatchTouchEvent emulateTouchFromMouseEvent \
         imeSetComposition insertText setIgnoreInputEvents setInterceptDrags synthesizePinchGesture synthesizeScrollGesture \
         synthesizeTapGesture",
    ),
    (
        "LayerTree",
        "compositingReasons disable enable makeSnapshot profileSnapshot releaseSnapshot replaySnapshot snapshotCommandLog",
    ),
    (
        "Memory",
        "forciblyPurgeJavaScriptMemory getDOMCounters getDOMCountersForLeakDetection prepareForLeakDetection \
         setPressureNotificationsSuppressed simulatePressureNotification",
    ),
    (
        "Network",
        "canClearBrowserCache canClearBrowserCookies canEmulateNetworkConditions clearAcceptedEncodingsOverride clearBrowserCache \
         clearBrowserCookies configureDurableMessages continueInterceptedRequest deleteCookies disable emulateNetworkConditions \
         emulateNetworkConditionsByRule enable enableDeviceBoundSessions enableReportingApi fetchSchemefulSite getAllCookies \
         getCertificate getCookies getRequestPostData getResponseBody getResponseBodyForInterception getSecurityIsolationStatus \
         loadNetworkResource overrideNetworkState replayXHR searchInResponseBody setAcceptedEncodings setAttachDebugStack \
         setBlockedURLs setBypassServiceWorker setCacheDisabled setCookie setCookieControls setCookies setExtraHTTPHeaders \
         setRequestInterception setUserAgentOverride streamResourceContent takeResponseBodyForInterceptionAsStream",
    ),
    (
        "Page",
        "addScriptToEvaluateOnLoad addScriptToEvaluateOnNewDocument bringToFront captureScreenshot captureSnapshot \
         clearDeviceMetricsOverride clearDeviceOrientationOverride clearGeolocationOverride close crash createIsolatedWorld \
         deleteCookie disable enable generateTestReport getAdScriptAncestry getAdScriptAncestryIds getAnnotatedPageContent getAppId \
         getAppManifest getCookies getFrameTree getInstallabilityErrors getLayoutMetrics getManifestIcons getNavigationHistory \
         getOriginTrials getPermissionsPolicyState getResourceContent getResourceTree handleJavaScriptDialog navigate \
         navigateToHistoryEntry printToPDF reload removeScriptToEvaluateOnLoad removeScriptToEvaluateOnNewDocument \
         resetNavigationHistory screencastFrameAck searchInResource setAdBlockingEnabled setBypassCSP setDeviceMetricsOverride \
         setDeviceOrientationOverride setDocumentContent setDownloadBehavior setFontFamilies setFontSizes setGeolocationOverride \
         setInterceptFileChooserDialog setLifecycleEventsEnabled setPrerenderingAllowed setRPHRegistrationMode setSPCTransactionMode \
         setTouchEmulationEnabled setWebLifecycleState startScreencast stopLoading stopScreencast waitForDebugger",
    ),
    (
        "Storage",
        "clearCookies clearDataForOrigin clearDataForStorageKey clearSharedStorageEntries clearTrustTokens deleteSharedStorageEntry \
         deleteStorageBucket getAffectedUrlsForThirdPartyCookieMetadata getCookies getInterestGroupDetails getRelatedWebsiteSets \
         getSharedStorageEntries getSharedStorageMetadata getStorageKey getStorageKeyForFrame getTrustTokens getUsageAndQuota \
         resetSharedStorageBudget runBounceTrackingMitigations sendPendingAttributionReports setAttributionReportingLocalTestingMode \
         setAttributionReportingTracking setCookies setInterestGroupAuctionTracking setInterestGroupTracking \
         setSharedStorageEntry setSharedStorageTracking setStorageBucketTracking trackCacheStorageForOrigin \
         trackCacheStorageForStorageKey trackIndexedDBForOrigin trackIndexedDBForStorageKey untrackCacheStorageForOrigin \
         untrackCacheStorageForStorageKey untrackIndexedDBForOrigin untrackIndexedDBForStorageKey",
    ),
    (
        "Target",
        "activateTarget attachToBrowserTarget attachToTarget autoAttachRelated closeTarget createBrowserContext createTarget \
         detachFromTarget disposeBrowserContext getBrowserContexts getTargetInfo getTargets setAutoAttach setDiscoverTargets",
    ),
    ("Tracing", "end getCategories getTrackEventDescriptor recordClockSyncMarker requestMemoryDump start"),
];

/// What lets go on what waits for it: a page that is paused or shows a dialog, a request that was taken, a page that is not to go on at all.
const LETTING: [&str; 21] = [
    "Debugger.disable",
    "Debugger.resume",
    "Debugger.stepInto",
    "Debugger.stepOut",
    "Debugger.stepOver",
    "Fetch.continueRequest",
    "Fetch.continueResponse",
    "Fetch.continueWithAuth",
    "Fetch.disable",
    "Fetch.failRequest",
    "Fetch.fulfillRequest",
    "Network.continueInterceptedRequest",
    "Network.setRequestInterception",
    "Page.close",
    "Page.handleJavaScriptDialog",
    "Page.stopLoading",
    "Runtime.runIfWaitingForDebugger",
    "Runtime.terminateExecution",
    "Target.closeTarget",
    "Target.detachFromTarget",
    "Target.disposeBrowserContext",
];

/// Whether other commands may have their answers by it.
pub(super) fn lets_go_on(method: &str) -> bool {
    LETTING.contains(&method)
}

/// Whether a client may send it, as far as its name tells.
pub(super) fn is_to_be_had(method: &str) -> bool {
    let Some((domain, command)) = method.split_once('.') else { return false };
    let of_domain = COMMANDS.iter().find(|(name, _)| *name == domain);
    of_domain.map_or_else(
        || DOMAINS.contains(&domain),
        |(_, commands)| !command.is_empty() && commands.split(' ').any(|name| name == command),
    )
}
